package dataplane_test

import (
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/loadgen"
)

func TestCohortByCookie(t *testing.T) {
	for expr, want := range map[string]bool{`^(.*;\s*)?type=insider(;.*)?$`: true,
		`^(.*?;)?(type=insider)(;.*)?$`: false} {
		s := open(t, nil)
		s.canary()
		s.route(
			mesh.Rule{Matches: []mesh.Match{{Headers: []mesh.ValueMatch{{Name: "Cookie", Value: expr, Regex: true}}}},
				Backends: split(100)},
			mesh.Rule{Backends: split(0)},
		)
		s.Advance(20 * time.Second)
		cells := s.Cells()
		insider := func(c event.Cell) bool { return c.Cohort == "insider" }
		others := sum(only(cells, func(c event.Cell) bool { return !insider(c) && onCanary(c) }))
		canary := sum(only(cells, func(c event.Cell) bool { return insider(c) && onCanary(c) }))
		if all := sum(only(cells, insider)); others.N != 0 || (canary.N == all.N) != want || (canary.N == 0) == want ||
			all.N == 0 {
			t.Errorf("%s: %d of %d insiders and %d others on the canary", expr, canary.N, all.N, others.N)
		}
	}
}

// TestUserByCookie matches a cookie that differs between the users of a cohort.
func TestUserByCookie(t *testing.T) {
	s := open(t, nil)
	s.canary()
	odd := mesh.ValueMatch{Name: "cookie", Value: `id=u\d*[13579]`, Regex: true}
	s.route(mesh.Rule{Matches: []mesh.Match{{Headers: []mesh.ValueMatch{odd}}}, Backends: split(100)},
		mesh.Rule{Backends: split(0)})
	s.MarkRollout()
	s.Advance(60 * time.Second)
	got := s.Totals()
	if a := got.Assigned["named"]; a["canary"]+a["primary"] != got.Users["named"] || a["canary"] < 100 ||
		a["canary"] > 200 {
		t.Errorf("%v of %d users", a, got.Users["named"])
	}
}

// affinity returns the rules that Flagger writes for session affinity, on the frontend: responses
// of inner hops set no cookies of users.
func affinity(service string, canary int) []mesh.Rule {
	to := []mesh.Backend{
		{Service: service, Namespace: "develop", Port: 80, Weight: 100 - canary},
		{Service: service + "-canary", Namespace: "develop", Port: 80, Weight: canary,
			ResponseHeaders: mesh.HeaderFilter{
				Add: []mesh.Header{{Name: "Set-Cookie", Value: "flagger-cookie=abc; Max-Age=3600"}},
			}},
	}
	stick := mesh.Match{Headers: []mesh.ValueMatch{{Name: "Cookie", Value: ".*flagger-cookie.*abc.*", Regex: true}}}
	return []mesh.Rule{{Matches: []mesh.Match{stick},
		Backends: []mesh.Backend{{Service: service + "-canary", Namespace: "develop", Weight: 100}}}, {Backends: to}}
}

func TestSessionAffinityKeepsUsersOnTheCanary(t *testing.T) {
	s := open(t, func(_ *loadgen.Workload, c *dataplane.Config) { c.Service = "frontend" })
	list := append(services(), dataplane.Service{
		Name: "frontend-canary", Namespace: "develop", Selector: map[string]string{"app": "frontend-canary"}, Port: 80,
		TargetPort: 8080,
	})
	s.SetServices(list)
	s.add("frontend-canary-0", "frontend-canary", "frontend", "v2", "canary", frontend())
	err := s.SetRoutes([]mesh.Route{{
		Name: "frontend", Namespace: "develop", Parents: []mesh.Parent{{Service: "frontend", Namespace: "develop"}},
		Rules: affinity("frontend", 10),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.MarkRollout()
	share := func(until time.Duration, cohort string) float64 {
		s.Advance(until)
		cells := only(s.Cells(), func(c event.Cell) bool { return c.Cohort == cohort })
		return float64(sum(only(cells, onCanary)).N) / float64(sum(cells).N)
	}
	if early := share(time.Second, "regular"); early > 0.3 {
		t.Errorf("%.2f of the first requests", early)
	}
	for cohort, until := range map[string]time.Duration{"insider": time.Minute, "named": 8 * time.Minute} {
		share(max(until, s.Now()), cohort)
		// Every user has sent more than twenty requests by now.
		if late := share(s.Now()+10*time.Second, cohort); late < 0.8 {
			t.Errorf("only %.2f of cohort %s stick to the canary", late, cohort)
		}
	}
}

func TestCookiesExpire(t *testing.T) {
	t.Run("one path", func(t *testing.T) { cookiesExpire(t, mesh.PathMatch{}, "/") })
	t.Run("many paths", func(t *testing.T) {
		cookiesExpire(t, mesh.PathMatch{Kind: mesh.PathRegex, Value: "/.*"}, "/{item}")
	})
}

// cookiesExpire sends requests for one path, under rules that match it.
func cookiesExpire(t *testing.T, match mesh.PathMatch, path string) {
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		c.DefaultService = "backend"
		for i := range w.Routes {
			w.Routes[i].Path = path
		}
		for i := range w.Cohorts {
			if strings.Contains(path, "{item}") {
				w.Cohorts[i].Items = &loadgen.Items{Count: 100}
			}
		}
	})
	s.canary()
	rules := affinity("backend", 100)
	rules[0].Matches[0].Path = match
	rules[1].Backends[1].ResponseHeaders.Add[0].Value = "flagger-cookie=abc; Max-Age=5"
	rules[0].Backends[0].Service = "backend-primary" // users with the cookie go to the primary
	s.SetServices(append(services(), dataplane.Service{Name: "backend-canary", Namespace: "develop",
		Selector: map[string]string{"app": "backend"}, Port: 80}))
	s.route(rules...)
	canary := func(d time.Duration) float64 {
		s.Advance(s.Now() + d)
		cells := only(s.Cells(), func(c event.Cell) bool { return c.Cohort == "insider" })
		return float64(sum(only(cells, onCanary)).N) / float64(sum(cells).N)
	}
	canary(20 * time.Second)
	// A user calls the canary once, then for five seconds the primary, about twice.
	if share := canary(time.Minute); share < 0.2 || share > 0.6 {
		t.Errorf("%.2f of the requests are without the cookie", share)
	}
}

func TestBalancersFollowEndpoints(t *testing.T) {
	s := open(t, nil)
	s.Advance(5 * time.Second)
	s.RemovePod("backend-primary-0")
	s.add("backend-primary-2", "backend-primary", "backend", "v1", "primary", backend())
	s.Advance(10 * time.Second)
	s.SetUnready("backend-primary-1")
	before := s.series("__name__", "request_total", "direction", "inbound", "pod", "backend-primary-1")
	s.Advance(15 * time.Second)
	if s.series("__name__", "request_total", "direction", "inbound", "pod", "backend-primary-1") != before {
		t.Error("a pod that is not ready gets requests")
	}
	if s.series("__name__", "request_total", "direction", "inbound", "pod", "backend-primary-2") < 1000 {
		t.Error("a new pod gets no requests")
	}
	if got := sum(s.Cells()); got.Errors > 0 {
		t.Errorf("%+v", got)
	}
}
