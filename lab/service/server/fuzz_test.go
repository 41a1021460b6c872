package server_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen/traceheader"
)

// Every request gets a valid response.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/", "seq=1, user=2, seed=3, cohort=premium", "session=s1; tier=premium", "", "")
	f.Add("POST", "/pay", "seq=1, cohort=, cohort=", "tier=", "home", "7")
	f.Add("HEAD", "/items/a%2fb?x", "", "=;=;;", "pay", "-1")
	f.Add("TRACE", "*", "seq=99999999999999999999, cohort=x", "session=s", "ledger", "99")
	b := constant(time.Millisecond)
	b.Routes["item"] = service.RouteBehaviour{Size: 1, Calls: "gone"}
	b.Faults = []service.Fault{
		{Name: "one", When: service.When{Cookie: &service.NameMatch{Name: "tier", Value: "p.*"}},
			Effect: service.Effect{Status: 599}},
		{Name: "two", When: service.When{Header: &service.NameMatch{Name: "Cookie", Value: ".*(s|session)+.*"},
			Users: 0.5}, Effect: service.Effect{WrongBody: true}},
	}
	s, err := server.New(config(f, "shop", b, newInstantClock(f)))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, method, target, place, cookie, route, depth string) {
		r := httptest.NewRequest("GET", "/", nil)
		u, err := r.URL.Parse(target)
		if err != nil || method == "" {
			return
		}
		r.Method, r.URL = method, u
		r.Header = http.Header{traceheader.RequestHeader: {place}, "Cookie": {cookie}, "Coalmine-Route": {route},
			"Coalmine-Depth": {depth}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200, 404, 405, 502, 599:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if length := w.Header().Get("Content-Length"); method != "HEAD" && length != "" &&
			length != strconv.Itoa(w.Body.Len()) {
			t.Errorf("Content-Length %s, %d bytes", length, w.Body.Len())
		}
	})
}
