package attack_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// TestBodiesAndHeadersOfRoutes compares what a server receives with what the plan says.
func TestBodiesAndHeadersOfRoutes(t *testing.T) {
	leakFree(t)
	w := one(80, "POST")
	w.Routes = append(w.Routes, loadgen.Route{Name: "json", Method: "PATCH", Path: "/json/{user}",
		Headers: []loadgen.Pair{{Name: "X-User", Value: "{user}"}, {Name: "X-Kind", Value: "json"}},
		Body:    `{"user": {user}}`},
		loadgen.Route{Name: "text", Method: "DELETE", Path: "/text", Body: "plain"},
		loadgen.Route{Name: "form", Method: "POST", Path: "/form", Body: "a=b&user={user}",
			Headers: []loadgen.Pair{{Name: "content-type", Value: "application/x-www-form-urlencoded"}}})
	w.Cohorts[0].Mix = map[string]float64{"home": 1, "json": 1, "text": 1, "form": 1}
	w.Cohorts[0].Headers = []loadgen.Pair{{Name: "X-Kind", Value: "any"}}
	p := newPlan(t, w, time.Second)
	got := map[string]int{}
	var mu sync.Mutex
	base := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header["Content-Type"], r.Header["X-Kind"],
			r.Header["X-User"], string(body))]++
	})
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base)})
	want := map[string]int{}
	for _, o := range outcomes {
		user := fmt.Sprint(o.Arrival.User)
		want[map[string]string{
			"home": "POST / [application/json] [any] []" + fmt.Sprintf(`{"user":%d,"item":0}`, o.Arrival.User),
			"json": "PATCH /json/" + user + " [application/json] [json] [" + user + `]{"user": ` + user + "}",
			"text": "DELETE /text [text/plain; charset=utf-8] [any] []plain",
			"form": "POST /form [application/x-www-form-urlencoded] [any] []a=b&user=" + user,
		}[p.Routes()[o.Arrival.Route].Name]]++
	}
	if len(want) < 8 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the server received\n%v\nnot\n%v", got, want)
	}
}
