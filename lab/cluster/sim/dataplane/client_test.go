package dataplane_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// outcomes plays a shop and returns the outcome of each request, all of which have one attempt.
func outcomes(t *testing.T, change func(*loadgen.Workload), prepare func(*shop)) (*shop, map[uint64]loadgen.Outcome) {
	t.Helper()
	got := map[uint64]loadgen.Outcome{}
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		c.OnAttempt = func(o *loadgen.Outcome) { got[o.Arrival.Seq] = *o }
		if change != nil {
			change(w)
		}
	})
	prepare(s)
	s.Advance(20 * time.Second)
	s.StopTraffic()
	s.Advance(2 * time.Minute)
	if !s.Finished() || len(got) == 0 {
		t.Fatalf("%d requests, over: %v", len(got), s.Finished())
	}
	return s, got
}

// A slow client waits for the last byte; nothing else changes.
func TestSlowClients(t *testing.T) {
	const cohort, rate = 2, 50_000
	prepare := func(s *shop) {
		large := frontend()
		large.Routes["cart"] = service.RouteBehaviour{Latency: latency(4*time.Millisecond, 20*time.Millisecond),
			Calls: "backend", Size: 40_000}
		s.RemovePod("frontend-0")
		s.RemovePod("frontend-1")
		s.add("frontend-2", "frontend", "frontend", "v1", "", large)
		s.canary(service.Fault{Name: "half", Share: 0.5, Effect: service.Effect{Status: 503}})
		s.weigh(50)
	}
	fast, quick := outcomes(t, nil, prepare)
	slow, held := outcomes(t, func(w *loadgen.Workload) { w.Cohorts[cohort].Bandwidth = rate }, prepare)
	seen := map[time.Duration]int{}
	for seq, o := range held {
		size := int64(service.DefaultSize)
		if o.Arrival.Route == 1 {
			size = 40_000
		}
		var read time.Duration
		if o.Arrival.Cohort == cohort {
			read = time.Duration(size) * time.Second / rate
		}
		want := quick[seq]
		want.Latency += read
		if o != want || o.BytesIn != size {
			t.Fatalf("%+v, want %+v", o, want)
		}
		seen[read]++
	}
	if len(held) != len(quick) || len(seen) != 3 {
		t.Errorf("%d and %d requests, read times %v", len(held), len(quick), seen)
	}
	for _, name := range []string{"response_latency_ms_sum", "response_total",
		"outbound_http_route_request_duration_seconds_sum", "app_http_request_duration_seconds_sum"} {
		if f, s := fast.series("__name__", name), slow.series("__name__", name); f != s || f == 0 {
			t.Errorf("%s: %g with slow clients, %g without", name, s, f)
		}
	}
	mobile := func(c event.Cell) bool { return c.Cohort == "mobile" }
	if f, s := sum(only(fast.Cells(), mobile)), sum(only(slow.Cells(), mobile)); f.N != s.N || s.Slow < s.N/5 ||
		f.Slow > s.Slow/10 {
		t.Errorf("slow clients %+v, others %+v", s, f)
	}
}

// Clients without a cookie jar may reach another version with each request.
func TestIgnoredCookies(t *testing.T) {
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		c.DefaultService = "backend"
		w.Cohorts[1].IgnoreSetCookie = true
	})
	s.SetServices(append(services(), dataplane.Service{Name: "backend-canary", Namespace: "develop",
		Selector: map[string]string{"app": "backend"}, Port: 80, TargetPort: 8080}))
	s.canary()
	rules := affinity("backend", 20)
	rules[1].Backends[0].Service = "backend-primary"
	s.route(rules...)
	s.Advance(2 * time.Minute)
	s.Cells()
	s.Advance(3 * time.Minute)
	cells := s.Cells()
	share := func(cohort string) float64 {
		own := only(cells, func(c event.Cell) bool { return c.Cohort == cohort })
		return float64(sum(only(own, onCanary)).N) / float64(sum(own).N)
	}
	if insider, mobile := share("insider"), share("mobile"); insider > 0.25 || insider < 0.15 || mobile < 0.8 {
		t.Errorf("the canary got %.2f of the requests without cookies, %.2f of the others", insider, mobile)
	}
}

// TestRulesMatchActualTargets uses rules on parts of the target that differ between requests.
func TestRulesMatchActualTargets(t *testing.T) {
	const busted = 3
	prepare := func(match mesh.Match) func(*shop) {
		return func(s *shop) {
			s.canary()
			s.route(mesh.Rule{Matches: []mesh.Match{match}, Backends: split(100)}, mesh.Rule{Backends: split(0)})
		}
	}
	change := func(w *loadgen.Workload) {
		w.Routes[1].Path = "/cart/{item}?full=1"
		for i := range w.Cohorts {
			w.Cohorts[i].Items = &loadgen.Items{Count: 10}
		}
		w.Cohorts[busted].CacheBuster = "nocache"
	}
	for name, c := range map[string]struct {
		match mesh.Match
		takes func(method, path, query string) bool
	}{
		"path": {
			mesh.Match{Path: mesh.PathMatch{Kind: mesh.PathRegex, Value: "/cart/[0-4]"}},
			func(_, path, _ string) bool {
				return strings.HasPrefix(path, "/cart/") && strings.Contains("01234", path[len("/cart/"):])
			},
		},
		"query": {
			mesh.Match{Query: []mesh.ValueMatch{{Name: "nocache", Value: ".*[02468ace]", Regex: true}}},
			func(_, _, query string) bool {
				return strings.Contains(query, "nocache=") &&
					strings.ContainsRune("02468ace", rune(query[len(query)-1]))
			},
		},
		"method": {
			mesh.Match{Method: "POST"},
			func(method, _, _ string) bool { return method == "POST" },
		},
	} {
		s, got := outcomes(t, change, prepare(c.match))
		taken := 0
		for _, o := range got {
			path, query, _ := strings.Cut(s.plan.Target(o.Arrival), "?")
			takes := c.takes(s.plan.Method(o.Arrival), path, query)
			if takes != (o.Version == "v2") {
				t.Fatalf("%s: a request for %s?%s went to %s", name, path, query, o.Version)
			}
			if takes {
				taken++
			}
		}
		if taken == 0 || taken == len(got) {
			t.Errorf("%s: the rule matched %d of %d requests", name, taken, len(got))
		}
	}
}

// TestRulesMatchHeadersOfRoutes uses rules on headers that only one route has.
func TestRulesMatchHeadersOfRoutes(t *testing.T) {
	const odd = 1
	change := func(w *loadgen.Workload) {
		w.Routes[odd].Headers = []loadgen.Pair{{Name: "X-Kind", Value: "cart"}, {Name: "X-Who", Value: "u{user}"}}
	}
	for _, match := range []mesh.ValueMatch{{Name: "x-kind", Value: "cart"},
		{Name: "x-who", Value: "u[0-9]*[02468]", Regex: true}} {
		_, got := outcomes(t, change, func(s *shop) {
			s.canary()
			s.route(mesh.Rule{Matches: []mesh.Match{{Headers: []mesh.ValueMatch{match}}}, Backends: split(100)},
				mesh.Rule{Backends: split(0)})
		})
		taken := 0
		for _, o := range got {
			takes := o.Arrival.Route == odd && (!match.Regex || o.Arrival.User%2 == 0)
			if takes != (o.Version == "v2") {
				t.Fatalf("%s: a request of user %d for route %d went to %s", match.Name, o.Arrival.User,
					o.Arrival.Route, o.Version)
			}
			if takes {
				taken++
			}
		}
		if taken == 0 || taken == len(got) {
			t.Errorf("%s: the rule matched %d of %d requests", match.Name, taken, len(got))
		}
	}
}

// replay turns a workload into the replay of a log in which every fifth request is a HEAD or POST,
// and paths are numbered.
func replay(w *loadgen.Workload) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var lines []accesslog.Line
	for i := range 2000 {
		l := accesslog.Line{
			Number: i + 1, At: start.Add(time.Duration(i) * 5 * time.Millisecond), Client: fmt.Sprint("10.0.0.", i%30),
			Method: "GET", Target: fmt.Sprintf("/shop/%d?page=%d", i%7, i%3),
		}
		switch i % 10 {
		case 3:
			l.Method = "HEAD"
		case 7:
			l.Method, l.Target = "POST", "/pay"
		}
		lines = append(lines, l)
	}
	*w = loadgen.Workload{
		Routes:  []loadgen.Route{{Name: "shop", Path: "/shop/*"}, {Name: "pay", Path: "/pay", Method: "POST"}},
		Cohorts: []loadgen.Cohort{{Name: "some"}},
		Replay:  &loadgen.Replay{Log: "shop.log", Lines: lines},
	}
}

// TestReplayedTargets replays a log and checks that rules see the methods and targets of its lines.
func TestReplayedTargets(t *testing.T) {
	for name, c := range map[string]struct {
		match mesh.Match
		takes func(accesslog.Line) bool
	}{
		"path": {mesh.Match{Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/shop/3"}},
			func(l accesslog.Line) bool {
				return strings.HasPrefix(l.Target, "/shop/3?")
			}},
		"query": {mesh.Match{Query: []mesh.ValueMatch{{Name: "page", Value: "1"}}}, func(l accesslog.Line) bool {
			return strings.HasSuffix(l.Target, "page=1")
		}},
		"method": {mesh.Match{Method: "HEAD"}, func(l accesslog.Line) bool { return l.Method == "HEAD" }},
	} {
		s, got := outcomes(t, replay, func(s *shop) {
			s.canary()
			s.route(mesh.Rule{Matches: []mesh.Match{c.match}, Backends: split(100)}, mesh.Rule{Backends: split(0)})
		})
		taken := 0
		for seq, o := range got {
			l := s.plan.Workload().Replay.Lines[seq]
			if c.takes(l) != (o.Version == "v2") {
				t.Fatalf("%s: a %s of %s went to %s", name, l.Method, l.Target, o.Version)
			}
			if o.Version == "v2" {
				taken++
			}
		}
		if len(got) != 2000 || taken < 100 {
			t.Errorf("%s: the rule matched %d of %d requests", name, taken, len(got))
		}
	}
}
