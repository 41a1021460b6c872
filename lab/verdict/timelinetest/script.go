// Package timelinetest writes logs of invented runs for tests: nothing here was measured.
package timelinetest

import (
	"math"
	"time"

	"coalmine/lab/event"
)

// Names in the made-up runs.
const (
	// Names in the invented runs.
	Service  = "checkout"
	Version  = "v2"
	Baseline = "v1"
)

// Script writes a log event by event.
type Script struct {
	// Rate is the number of requests per second; Premium is the share of the cohort "premium", the
	// rest is "free".
	Rate    int
	Premium float64
	// Fault is the share of premium requests on the released version that it makes bad, Error that
	// of all requests on any version that are bad anyway.
	Fault, Error float64
	// Weight of the canary in percent.
	Weight int

	events []event.Event
	now    time.Duration
	harm   int
	// primary is the version that the primary runs.
	primary string
	guarded bool
}

// New starts a log. Role is "faulty" or "healthy".
func New(role string, seed uint64, guarded bool) *Script {
	s := &Script{Rate: 100, Premium: 0.2, primary: Baseline, guarded: guarded}
	if role == "faulty" {
		s.Fault = 0.5
	}
	return s.Add(event.RunStarted{
		Format: event.Format, Scenario: "segment", Service: Service, Version: Version, Baseline: Baseline, Role: role,
		Seed: seed, Cluster: "sim", Mesh: "linkerd-model", Guarded: guarded,
		Versions: map[string]string{"flagger": "v1.43.0", "prometheus": "v3.13.5"},
	})
}

// Events returns the log so far.
func (s *Script) Events() []event.Event { return s.events }

// Add writes a fact at the present time.
func (s *Script) Add(f event.Fact) *Script {
	s.events = append(s.events, event.Event{Seq: len(s.events) + 1, At: s.now, Fact: f})
	return s
}

// Stage writes the start of a stage.
func (s *Script) Stage(name string) *Script { return s.Add(event.Stage{Name: name}) }

// Release gives the Deployment the version; without guardrails everyone gets it.
func (s *Script) Release() *Script {
	s.Stage(event.StageRollout).Add(event.Released{Service: Service, Version: Version})
	if !s.guarded {
		s.primary = Version
	}
	return s
}

// Canary writes a status and routes accordingly.
func (s *Script) Canary(phase string, weight, failed int) *Script {
	s.Weight = weight
	return s.Add(event.Canary{Name: Service, Target: Service, Phase: phase, Weight: weight, FailedChecks: failed,
		Threshold: 5})
}

// Gate writes a gate's answer.
func (s *Script) Gate(name string, passed bool) *Script {
	status := 200
	if !passed {
		status = 403
	}
	return s.Add(event.Gate{Canary: Service, Name: name, URL: "http://gate.coalmine/" + name,
		Phase:  event.PhaseProgressing,
		Passed: passed, Status: status, Reason: "made up"})
}

// Promote takes the canary through promotion.
func (s *Script) Promote() *Script {
	s.Canary(event.PhasePromoting, s.Weight, 0).Traffic(10)
	s.primary = Version
	s.Canary(event.PhaseFinalising, 0, 0).Traffic(10)
	return s.Canary(event.PhaseSucceeded, 0, 0)
}

// End ends the log.
func (s *Script) End(outcome string) *Script { return s.Add(event.RunEnded{Outcome: outcome}) }

// Traffic lets the given number of seconds pass, with requests.
func (s *Script) Traffic(seconds int) *Script {
	for range seconds {
		from := s.now
		s.now += time.Second
		cells := s.cells()
		for _, c := range cells {
			s.harm += c.Harm
		}
		s.Add(event.Traffic{From: event.Seconds(from), To: event.Seconds(s.now), Cells: cells, HurtSoFar: s.harm / 10})
	}
	return s
}

// Wait lets time pass without requests.
func (s *Script) Wait(d time.Duration) *Script {
	s.now += d
	return s
}

func (s *Script) cells() []event.Cell {
	premium := portion(s.Rate, s.Premium)
	var cells []event.Cell
	for _, c := range []struct {
		cohort string
		n      int
		fault  float64
	}{{"free", s.Rate - premium, 0}, {"premium", premium, s.Fault}} {
		canary := portion(c.n, float64(s.Weight)/100)
		if !s.guarded {
			cells = append(cells, s.cell(c.cohort, Service, s.primary, c.n, c.fault))
			continue
		}
		cells = append(cells, s.cell(c.cohort, Service, Version, canary, c.fault),
			s.cell(c.cohort, Service+"-primary", s.primary, c.n-canary, c.fault))
	}
	return cells
}

func (s *Script) cell(cohort, workload, version string, n int, fault float64) event.Cell {
	if version != Version {
		fault = 0
	}
	hit := portion(n, fault)
	errors := hit + portion(n-hit, s.Error)
	return event.Cell{Cohort: cohort, Route: "pay", Workload: workload, Version: version, N: n, Errors: errors,
		Bad: errors,
		Hit: hit, Harm: hit, Latency: []event.BucketCount{{Bucket: 50, Count: n}}}
}

func portion(n int, share float64) int { return int(math.Round(float64(n) * share)) }

// RolledBack is a run whose canary passes the weights 5 and 25 and fails there.
func RolledBack(seed uint64) *Script {
	s := Ready("faulty", seed, true).Release().Traffic(15)
	s.Canary(event.PhaseProgressing, 5, 0).Traffic(30).Canary(event.PhaseProgressing, 25, 0).Traffic(20)
	for n := 1; n <= 5; n++ {
		v, least := 74.2, 99.0
		s.Add(event.Query{Asker: Service, Metric: "premium-success", PromQL: "good / all * 100", Value: &v,
			Min: &least})
		s.Canary(event.PhaseProgressing, 25, n)
		s.Add(event.Flagger{Canary: Service, Type: "Warning",
			Message: "Halt checkout.develop advancement premium-success 74.20 < 99"})
		s.Traffic(10)
	}
	return s.Canary(event.PhaseFailed, 0, 0).Traffic(60).Complete()
}

// Promoted is a run whose canary passes its weights and is promoted.
func Promoted(role string, seed uint64) *Script {
	s := Ready(role, seed, true).Release().Traffic(15)
	for _, w := range []int{5, 25, 50} {
		s.Canary(event.PhaseProgressing, w, 0).Traffic(30)
	}
	return s.Promote().Traffic(60).Complete()
}

// Unguarded is a run without guardrails.
func Unguarded(seed uint64) *Script {
	return Ready("faulty", seed, false).Release().Traffic(215).Complete()
}

// Ready is a run up to its release, with a minute of traffic.
func Ready(role string, seed uint64, guarded bool) *Script {
	s := New(role, seed, guarded).Stage(event.StagePrepare)
	if guarded {
		s.Add(event.Applied{ObjectKind: "Canary", Namespace: "develop", Name: Service, Owner: event.OwnerLearner,
			Source: "canary.yaml:1",
			Annotations: map[string]string{
				event.AnnotationOwner: "payments", event.AnnotationStart: "2026-03-01",
				event.AnnotationEnd:        "2026-03-08",
				event.AnnotationHypothesis: "v2 pays faster",
			}})
		s.Canary(event.PhaseInitializing, 0, 0).Wait(10 * time.Second)
		s.Canary(event.PhaseInitialized, 0, 0)
	}
	return s.Stage(event.StageBaseline).Traffic(60)
}

// Complete writes the totals and the end of a completed run. There is one user for ten requests.
func (s *Script) Complete() *Script {
	t := event.TrafficTotals{Users: map[string]int{}, Hurt: map[string]int{}}
	for _, e := range s.events {
		if f, ok := e.Fact.(event.Traffic); ok {
			for _, c := range f.Cells {
				t.Planned += c.N
				t.Answered += c.N
				t.Users[c.Cohort] += c.N
				t.Hurt[c.Cohort] += c.Harm
			}
		}
	}
	for c := range t.Users {
		t.Users[c] /= 10
		t.Hurt[c] /= 10
	}
	return s.Add(t).End(event.OutcomeCompleted)
}
