package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// A proxy's own answers are bad for users, though no fault hit them.
func TestAnswersInPlaceOfTheService(t *testing.T) {
	never := mesh.Match{Headers: []mesh.ValueMatch{{Name: "x-nobody", Value: "sends"}}}
	to := func(name string) []mesh.Backend {
		return []mesh.Backend{{Service: name, Namespace: "develop", Port: 80, Weight: 1}}
	}
	closed := mesh.Policies{Servers: []mesh.Server{{
		Name: "mine", Namespace: "develop", Port: 8080,
		Selector: mesh.Selector{MatchLabels: map[string]string{"app": "backend-primary"}},
	}}}
	for name, prepare := range map[string]func(*shop){
		"no route matches": func(s *shop) {
			s.route(mesh.Rule{Matches: []mesh.Match{never}, Backends: split(0)})
		},
		"no Service":               func(s *shop) { s.route(mesh.Rule{Backends: to("backend-old")}) },
		"no endpoint":              func(s *shop) { s.weigh(100) },
		"another service":          func(s *shop) { s.route(mesh.Rule{Backends: to("frontend")}) },
		"denied by the guardrails": func(s *shop) { s.SetPolicies(closed, mesh.ServerRef("mine")) },
		"denied by their namespace": func(s *shop) {
			s.SetPolicies(mesh.Policies{Default: "deny"}, mesh.DefaultRef("deny"))
		},
		"no process behind the port": func(s *shop) { s.SetServices(wrongPort()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			prepare(s)
			s.Advance(10 * time.Second)
			got := sum(s.Cells())
			if got.N < 1000 || got.Bad != got.N || got.ByMesh != got.N || got.Hit+got.Harm != 0 {
				t.Errorf("%+v: not all are bad by the mesh", got)
			}
			if s.HarmedUsers() == 0 || s.Totals().Hurt["mobile"] == 0 {
				t.Errorf("%d users are hurt, %+v", s.HarmedUsers(), s.Totals().Hurt)
			}
		})
	}
}

func wrongPort() []dataplane.Service {
	list := services()
	for i := range list {
		list[i].TargetPort = 9999
	}
	return list
}

// Pods that a fault killed leave their Service without endpoints: that is the fault's doing.
func TestCrashedPodsAreTheFaults(t *testing.T) {
	b := backend(service.Fault{Name: "leak", Effect: service.Effect{GrowMemory: 1}})
	b.Memory = service.Memory{Base: 100, Limit: 200}
	s := open(t, nil)
	s.add("backend-0", "backend", "backend", "v2", "canary", b)
	s.weigh(100)
	for at := time.Second; at < 20*time.Second && len(s.OOMKilled()) == 0; at += time.Second {
		s.Advance(at)
	}
	s.Cells()
	s.Advance(s.Now() + 10*time.Second)
	if got := sum(s.Cells()); got.N < 1000 || got.Harm != got.N || got.ByMesh != 0 {
		t.Errorf("%+v: not all are harmed by the fault", got)
	}
	s.RemovePod("backend-0")
	s.Advance(s.Now() + 5*time.Second) // requests that have waited get their answer
	s.Cells()
	s.Advance(s.Now() + 5*time.Second)
	if got := sum(s.Cells()); got.N < 500 || got.ByMesh != got.N || got.Harm != 0 {
		t.Errorf("%+v: without a pod, the route is to blame", got)
	}
}
