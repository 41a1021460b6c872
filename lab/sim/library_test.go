package sim_test

import (
	"context"
	"flag"
	"runtime"
	"strings"
	"testing"

	"coalmine/lab"
	"coalmine/lab/event"
	"coalmine/lab/score"
	"coalmine/lab/sim"
	"coalmine/lab/timeline"
)

// librarySeeds is how many seeds each scenario's guardrails are tried on.
func librarySeeds() int {
	if testing.Short() {
		return 2
	}
	return 20
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
	for _, x := range expectations() {
		if !strings.Contains(x.scenario, *only) {
			continue
		}
		t.Run(x.scenario+"/"+x.variant, func(t *testing.T) {
			points := map[int]int{}
			for seed, card := range cards(t, x.scenario, x.variant, librarySeeds()) {
				points[card.Points]++
				if card.Outcome != x.outcome {
					t.Errorf("seed %d: %s (%s), want %s", seed+1, card.Outcome, card.Reason, x.outcome)
				}
			}
			t.Logf("seeds by points: %v", points)
		})
	}
}

// cards judges seeds 1 to n, each alone.
func cards(t *testing.T, name, variant string, n int) []score.Card {
	t.Helper()
	s := flight(t, name, "", "", 0).Scenario
	var flights []lab.Flight
	for seed := range uint64(n) {
		flights = append(flights,
			flight(t, name, variant, s.Release.Faulty, seed+1),
			flight(t, name, variant, s.Release.Healthy, seed+1),
			flight(t, name, "", s.Release.Faulty, seed+1))
	}
	parts := []score.Part{score.PartFaulty, score.PartHealthy, score.PartUnguarded}
	runs := make([]score.RunResult, len(flights))
	err := lab.Trial(context.Background(), lab.Here{Cluster: sim.Cluster{Version: "test"}}, flights, runtime.GOMAXPROCS(0), func(i int) (lab.Log, error) {
		runs[i] = score.RunResult{Part: parts[i%len(parts)], Timeline: new(timeline.Timeline)}
		return timelineLog{runs[i].Timeline}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []score.Card
	for i := 0; i < len(runs); i += len(parts) {
		all = append(all, score.Trial(s, runs[i:i+len(parts)]))
	}
	return all
}

// timelineLog keeps a run's timeline only.
type timelineLog struct{ *timeline.Timeline }

func (l timelineLog) Write(e event.Event) { l.Fold(e) }
func (l timelineLog) Close() error        { return nil }
