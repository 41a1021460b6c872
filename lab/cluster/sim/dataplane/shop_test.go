package dataplane_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// shop is a frontend that calls a backend, and a canary of the backend.
type shop struct {
	*dataplane.Plane
	t     testing.TB
	plan  *loadgen.Plan
	vocab service.Vocabulary
	ips   int
}

func latency(p50, p99 time.Duration) service.Latency { return service.Latency{P50: p50, P99: p99} }

func workload() loadgen.Workload {
	mix := map[string]float64{"home": 3, "cart": 2, "pay": 1}
	return loadgen.Workload{
		Rate: loadgen.Curve{Constant: 200},
		Routes: []loadgen.Route{
			{Name: "home", Path: "/"},
			{Name: "cart", Path: "/cart?full=1"},
			{Name: "pay", Path: "/pay", Method: "POST"},
		},
		Cohorts: []loadgen.Cohort{
			{Name: "regular", Share: 0.5, Users: 2000, Mix: mix},
			{Name: "insider", Share: 0.1, Users: 50, Mix: mix,
				Cookies: []loadgen.Pair{{Name: "a", Value: "1"}, {Name: "type", Value: "insider"}}},
			{Name: "mobile", Share: 0.2, Users: 500, Mix: mix,
				Headers: []loadgen.Pair{{Name: "X-Device", Value: "mobile"}}},
			{Name: "named", Share: 0.1, Users: 300, Mix: mix, Cookies: []loadgen.Pair{{Name: "id", Value: "u{user}"}}},
			{Name: "bots", Share: 0.1, Mix: mix},
		},
	}
}

func frontend() service.Behaviour {
	return service.Behaviour{Routes: map[string]service.RouteBehaviour{
		"": {Latency: latency(4*time.Millisecond, 20*time.Millisecond), Calls: "backend"},
	}}
}

func backend(faults ...service.Fault) service.Behaviour {
	return service.Behaviour{
		Routes: map[string]service.RouteBehaviour{"": {Latency: latency(8*time.Millisecond, 60*time.Millisecond)}},
		Faults: faults,
	}
}

// open returns a shop with traffic from time 0 on: two pods of the frontend, two of the backend's
// primary (v1), and no canary yet.
func open(t testing.TB, change func(*loadgen.Workload, *dataplane.Config)) *shop {
	t.Helper()
	w := workload()
	c := dataplane.Config{
		Clients: []dataplane.Client{{Name: "web", Namespace: "develop", Replicas: 2}},
		Seed:    1, Service: "backend", Baseline: "v1", Namespace: "develop", DefaultService: "frontend",
		Objective: func(string) time.Duration { return 250 * time.Millisecond },
		Start:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if change != nil {
		change(&w, &c)
	}
	plan, err := loadgen.NewPlan(w, c.Seed, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.Plan = plan
	plane, err := dataplane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{Plane: plane, t: t, plan: plan, vocab: service.Vocabulary{Header: plan.Header, Cookie: plan.Cookie}}
	for _, r := range w.Routes {
		s.vocab.Routes = append(s.vocab.Routes, r.Name)
	}
	for _, x := range w.Cohorts {
		s.vocab.Cohorts = append(s.vocab.Cohorts, x.Name)
	}
	s.SetServices(services())
	for i := range 2 {
		s.add(fmt.Sprintf("frontend-%d", i), "frontend", "frontend", "v1", "primary", frontend())
		s.add(fmt.Sprintf("backend-primary-%d", i), "backend-primary", "backend", "v1", "primary", backend())
	}
	s.StartTraffic(0)
	return s
}

func services() []dataplane.Service {
	service := func(name, label string) dataplane.Service {
		return dataplane.Service{
			Name: name, Namespace: "develop", Selector: map[string]string{"app": label}, Port: 80, TargetPort: 8080,
		}
	}
	return []dataplane.Service{
		service("frontend", "frontend"), service("backend", "backend-primary"),
		service("backend-primary", "backend-primary"), service("backend-canary", "backend"),
	}
}

func (s *shop) pod(name, deployment, svc, version, workload string, b service.Behaviour) dataplane.Pod {
	s.t.Helper()
	m, err := service.Compile(b, s.vocab, uint64(len(svc)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.ips++
	return dataplane.Pod{
		Name: name, Namespace: "develop", Deployment: deployment, Labels: map[string]string{"app": deployment},
		ServiceAccount: svc, Service: svc, Version: version, VersionLabel: version, Workload: workload,
		Addr: netip.AddrFrom4([4]byte{10, 42, 0, byte(s.ips)}), Port: 8080, Model: m, Meshed: true,
	}
}

// add adds a pod that is ready at the present time.
func (s *shop) add(name, deployment, service, version, workload string, b service.Behaviour) {
	s.t.Helper()
	s.AddPod(s.pod(name, deployment, service, version, workload, b))
	s.SetReady(name, s.Now())
}

// canary adds a canary pod of the backend.
func (s *shop) canary(faults ...service.Fault) {
	s.t.Helper()
	s.add("backend-0", "backend", "backend", "v2", "canary", backend(faults...))
}

// weigh routes the backend's traffic by weight, as Flagger does.
func (s *shop) weigh(canary int) {
	s.t.Helper()
	s.route(mesh.Rule{Backends: split(canary)})
}

func split(canary int) []mesh.Backend {
	return []mesh.Backend{
		{Service: "backend-primary", Namespace: "develop", Port: 80, Weight: 100 - canary},
		{Service: "backend-canary", Namespace: "develop", Port: 80, Weight: canary},
	}
}

func (s *shop) route(rules ...mesh.Rule) {
	s.t.Helper()
	err := s.SetRoutes([]mesh.Route{{
		Name: "backend", Namespace: "develop", Parents: []mesh.Parent{{Service: "backend", Namespace: "develop",
			Port: 80}}, Rules: rules,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// series returns the sum of all scraped samples with the labels.
func (s *shop) series(labels ...string) float64 {
	sum := 0.0
	eachSeries(s.Plane, func(series mesh.Series, v float64) {
		found := 0
		for _, l := range series.Labels() {
			for i := 0; i < len(labels); i += 2 {
				if l.Name == labels[i] && l.Value == labels[i+1] {
					found++
				}
			}
		}
		if found == len(labels)/2 {
			sum += v
		}
	})
	return sum
}
