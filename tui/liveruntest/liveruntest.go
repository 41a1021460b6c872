// Package liveruntest builds trials of scripted runs for tests of screens: nothing here was
// measured.
package liveruntest

import (
	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/liverun"
	"coalmine/tui/recording"
)

// Scenario returns a scenario whose rubric has an item of every kind.
func Scenario() *scenario.Scenario {
	return &scenario.Scenario{
		Name: "segment", Title: "The checkout that fails for premium customers only",
		Rubric: scenario.Rubric{
			MaxHarm: 0.15, MinCanaryRequests: 50,
			Items: []scenario.RubricItem{
				{ID: "caught", Points: 40, Hint: "Add a metric for the premium cohort: the average hides a fifth of " +
					"the users."},
				{ID: "healthy-promoted", Points: 20},
				{ID: "harm-share", Title: "At most 15 % of the harm gets through", Points: 20},
				{ID: "cohort-harm", Points: 20, Limit: 0.2},
			},
		},
	}
}

// Caught returns a trial whose guardrails stop the faulty version and deliver the healthy one.
func Caught() *liverun.Trial { return played(Gated(1)) }

// Missed returns a trial whose guardrails promote the faulty version.
func Missed() *liverun.Trial { return played(script.Promoted("faulty", 1)) }

func played(faulty *script.Script) *liverun.Trial {
	return New(map[score.Role]*script.Script{
		score.RoleFaulty: faulty, score.RoleHealthy: script.Promoted("healthy", 1),
		score.RoleUnguarded: script.Unguarded(1), score.RoleReference: script.RolledBack(1),
	})
}

// Gated returns a run with gates, checks and pods of all kinds that is rolled back at 25 %.
func Gated(seed uint64) *script.Script {
	s := script.Ready("faulty", seed, true)
	s.Add(event.Applied{ObjectKind: "Server", Name: "checkout", Owner: event.OwnerLearner, Source: "policy.yaml:1"})
	s.Release().Traffic(10).Gate(event.GateMTLS, true)
	s.Add(event.RollbackDrill{Canary: script.Service, Passed: true, Forward: 20, Back: 20, Probes: 20}).Gate(
		event.GateRollbackDrill, true)
	s.Add(event.Workload{Name: script.Service, Version: script.Version, Desired: 2, Ready: 1}).Traffic(5)
	s.Canary(event.PhaseProgressing, 5, 0).Gate(event.GateVolume, false).Traffic(30)
	asked(s, 99.6, 99.1).Gate(event.GateVolume, true).Canary(event.PhaseProgressing, 25, 0).Traffic(20)
	for n := 1; n <= 3; n++ {
		asked(s, 99.4, 74.2).Canary(event.PhaseProgressing, 25, n)
		s.Add(event.Flagger{Canary: script.Service, Type: "Warning",
			Message: "Halt checkout.develop advancement premium-success 74.20 < 99"})
		s.Traffic(20)
	}
	s.Add(event.Alert{Canary: script.Service, Provider: "slack", Severity: "error",
		Message: "Failed checks threshold reached 5"})
	return s.Canary(event.PhaseFailed, 0, 0).Traffic(60).Complete()
}

// asked adds Flagger's queries and their answers.
func asked(s *script.Script, success, premium float64) *script.Script {
	least, most, p99 := 99.0, 500.0, 117.4
	s.Add(event.Query{Asker: script.Service, Metric: "success-rate", PromQL: "good / all * 100", Value: &success,
		Min: &least})
	s.Add(event.Query{Asker: script.Service, Metric: "latency-p99", PromQL: "histogram_quantile(0.99, x)", Value: &p99,
		Max: &most})
	return s.Add(event.Query{Asker: script.Service, Metric: "premium-success", PromQL: "good / all * 100",
		Value: &premium, Min: &least})
}

// New returns a trial of complete runs, in the order in which a command plays them, with its card.
func New(runs map[score.Role]*script.Script) *liverun.Trial {
	s := Scenario()
	t := &liverun.Trial{Scenario: s.Name, Title: s.Title, Guardrails: "starter", Done: true}
	var results []score.RunResult
	for _, role := range []score.Role{score.RoleFaulty, score.RoleHealthy, score.RoleUnguarded, score.RoleReference} {
		if runs[role] == nil {
			continue
		}
		r := &liverun.Run{Name: string(role) + "-seed1", Role: role, Seed: 1, Version: script.Version,
			Status: liverun.Complete, Rec: recording.FromEvents(runs[role].Events())}
		t.Runs = append(t.Runs, r)
		results = append(results, score.RunResult{Name: r.Name, Role: role, Timeline: r.Rec.Timeline()})
	}
	c := score.Trial(s, results)
	t.Card = &c
	return t
}
