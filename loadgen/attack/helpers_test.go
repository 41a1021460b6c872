package attack_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/traceheader"
)

// shop returns a workload with sticky users, users with a cookie, and bots, with n requests in a
// quarter of a second.
func shop(n float64) loadgen.Workload {
	return loadgen.Workload{
		Rate: loadgen.Curve{Constant: n / length.Seconds()},
		Routes: []loadgen.Route{
			{Name: "home", Path: "/"}, {Name: "search", Path: "/search?q=tea"},
			{Name: "cart", Path: "/cart", Method: "POST"},
		},
		Cohorts: []loadgen.Cohort{
			{Name: "web", Share: 0.6, Users: 20, Mix: map[string]float64{"home": 5, "search": 3, "cart": 1.5},
				Cookies: []loadgen.Pair{{Name: "sid", Value: "s-{user}"}, {Name: "theme", Value: "dark"},
					{Name: "lang", Value: "en"}},
				ShuffleCookies: true},
			{Name: "mobile", Share: 0.3, Users: 5, Mix: map[string]float64{"home": 1, "search": 1},
				Headers: []loadgen.Pair{{Name: "User-Agent", Value: "shop-mobile/2"}}},
			{Name: "bots", Share: 0.1, Mix: map[string]float64{"home": 1, "search": 9}, IgnoreSetCookie: true},
		},
	}
}

const length = 250 * time.Millisecond

func newPlan(t testing.TB, w loadgen.Workload, d time.Duration) *loadgen.Plan {
	t.Helper()
	p, err := loadgen.NewPlan(w, 1, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// one returns a workload of one route and one cohort.
func one(rate float64, method string) loadgen.Workload {
	return loadgen.Workload{
		Rate:    loadgen.Curve{Constant: rate},
		Routes:  []loadgen.Route{{Name: "home", Path: "/", Method: method}},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Users: 3, Mix: map[string]float64{"home": 1}}},
	}
}

// serve starts a server that is closed with the test, before its goroutines are counted.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// leakFree checks for leaked goroutines after the test and its clean-up.
func leakFree(t testing.TB) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// at returns targets with one base URL for all routes.
func at(t testing.TB, p *loadgen.Plan, base string) []*url.URL {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]*url.URL, len(p.Routes()))
	for i := range list {
		list[i] = u
	}
	return list
}

// play runs an attack and returns every outcome. It also calls the attack's own Done.
func play(t testing.TB, a attack.Attack) ([]loadgen.Outcome, attack.Report) {
	t.Helper()
	list, report, err := playUntil(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return list, report
}

func playUntil(ctx context.Context, a attack.Attack) ([]loadgen.Outcome, attack.Report, error) {
	var list []loadgen.Outcome
	done := a.Done
	a.Done = func(o *loadgen.Outcome) {
		list = append(list, *o)
		if done != nil {
			done(o)
		}
	}
	report, err := a.Run(ctx)
	return list, report, err
}

// arrivals returns the arrivals of a shard.
func arrivals(p *loadgen.Plan, s loadgen.Shard) []loadgen.Arrival {
	var list []loadgen.Arrival
	for c := p.Share(s); ; {
		a, ok := c.Next()
		if !ok {
			return list
		}
		list = append(list, a)
	}
}

// seen is what a server received of a request.
type seen struct {
	request                    traceheader.Request
	method, uri, agent, cookie string
	header                     http.Header
}

// witness records requests.
type witness struct {
	mu   sync.Mutex
	list []seen
}

func (w *witness) see(r *http.Request) seen {
	m, _ := traceheader.Parse(r.Header.Get(traceheader.RequestHeader))
	s := seen{m, r.Method, r.RequestURI, r.UserAgent(), r.Header.Get("Cookie"), r.Header}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, s)
	return s
}

// quiet discards the log of servers that are expected to complain.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
