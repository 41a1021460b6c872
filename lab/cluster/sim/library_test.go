package sim_test

import (
	"context"
	"flag"
	"runtime"
	"strings"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// librarySeeds is how many seeds a variant of a scenario's guardrails is tried on: the two that each scenario promises on
// twenty, those that a briefing only mentions on five.
func librarySeeds(variant string) int {
	switch {
	case testing.Short():
		return 2
	case variant == "naive" || variant == "solution":
		return 20
	}
	return 5
}

// expectation says how a variant of a scenario's guardrails must fare on every seed, as the scenario's text explains it.
type expectation struct {
	scenario, variant string
	outcome           string
}

func expectations() []expectation {
	return []expectation{
		{"full-rollout", "naive", score.OutcomeMissed},
		{"full-rollout", "solution", score.OutcomePassed},
		{"ab-bounded", "naive", score.OutcomeMissed},
		{"ab-bounded", "wide", score.OutcomeMissed},
		{"ab-bounded", "solution", score.OutcomePassed},
		{"mtls-first", "naive", score.OutcomeMissed},
		{"mtls-first", "own-policy", score.OutcomeMissed},
		{"mtls-first", "second-line", score.OutcomePassed},
		{"mtls-first", "solution", score.OutcomePassed},
		{"hidden-segment", "naive", score.OutcomeMissed},
		{"hidden-segment", "solution", score.OutcomePassed},
		{"tail-latency", "naive", score.OutcomeMissed},
		{"tail-latency", "mend", score.OutcomeMissed},
		{"tail-latency", "solution", score.OutcomePassed},
		{"silent-metrics", "naive", score.OutcomeRolledBack},
		{"silent-metrics", "mend", score.OutcomeMissed},
		{"silent-metrics", "solution", score.OutcomePassed},
	}
}

var only = flag.String("scenario", "", "try the scenarios that contain this text only")

// TestLibrary plays each scenario's naive and good guardrails on many seeds. Each seed is judged as a trial of its own, so
// that no seed's failure hides behind another's.
func TestLibrary(t *testing.T) {
	unguarded := map[string][]score.RunResult{} // by scenario: what happens without guardrails is the same for all variants
	for _, x := range expectations() {
		if !strings.Contains(x.scenario, *only) {
			continue
		}
		t.Run(x.scenario+"/"+x.variant, func(t *testing.T) {
			s := flight(t, x.scenario, "", "", 0).Scenario
			n := librarySeeds(x.variant)
			if len(unguarded[x.scenario]) < n {
				unguarded[x.scenario] = results(t, score.RoleUnguarded, x.scenario, "", s.Release.Faulty, n)
			}
			faulty := results(t, score.RoleFaulty, x.scenario, x.variant, s.Release.Faulty, n)
			healthy := results(t, score.RoleHealthy, x.scenario, x.variant, s.Release.Healthy, n)
			points := map[int]int{}
			for i := range n {
				card := score.Trial(s, []score.RunResult{faulty[i], healthy[i], unguarded[x.scenario][i]})
				points[card.Points]++
				if card.Outcome != x.outcome {
					t.Errorf("seed %d: %s (%s), want %s", i+1, card.Outcome, card.Reason, x.outcome)
				}
			}
			t.Logf("seeds by points: %v", points)
		})
	}
}

// results plays one version under one variant of guardrails on seeds 1 to n.
func results(t *testing.T, part score.Role, scenario, variant, version string, n int) []score.RunResult {
	t.Helper()
	f := flight(t, scenario, variant, version, 0)
	flights := make([]cluster.RunSpec, n)
	for i := range flights {
		flights[i] = f
		flights[i].Seed = uint64(i) + 1
	}
	runs := make([]score.RunResult, n)
	err := run.PlayAll(context.Background(), run.InProcess{Cluster: sim.Cluster{Version: "test"}}, flights, runtime.GOMAXPROCS(0), func(i int) (run.Log, error) {
		runs[i] = score.RunResult{Role: part, Timeline: new(timeline.Timeline)}
		return timelineLog{runs[i].Timeline}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// timelineLog keeps a run's timeline only.
type timelineLog struct{ *timeline.Timeline }

func (l timelineLog) Write(e event.Event) { l.Fold(e) }
func (l timelineLog) Close() error        { return nil }
