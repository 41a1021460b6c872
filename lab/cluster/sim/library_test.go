package sim_test

import (
	"context"
	"flag"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Flags that make TestLibrary play more seeds, or fewer scenarios.
var (
	seedsFlag = flag.Int("seeds", 0, "seeds per variant in TestLibrary (default $COALMINE_SEEDS, or 3; 2 "+
		"with -short)")
	scenarioFlag = flag.String("scenario", "", "play only scenarios whose name contains this text")
)

// maxMinorSeeds bounds the seeds of the variants that a briefing only mentions.
const maxMinorSeeds = 5

// librarySeeds returns how many seeds to play of a variant of a scenario's guardrails: n, unless
// the command line or the environment says otherwise.
func librarySeeds(t *testing.T, variant string, n int) int {
	t.Helper()
	if testing.Short() {
		n = min(n, 2)
	}
	if env := os.Getenv("COALMINE_SEEDS"); env != "" {
		var err error
		if n, err = strconv.Atoi(env); err != nil || n < 1 {
			t.Fatalf("COALMINE_SEEDS=%s: not a number of seeds", env)
		}
	}
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	if variant != scenario.Solution && variant != "naive" {
		n = min(n, maxMinorSeeds)
	}
	return n
}

// expectation is the outcome of a variant of a scenario's guardrails on every seed, as the
// scenario's text explains it.
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
		{"cut-off-cohort", "naive", score.OutcomeHurtUsers},
		{"cut-off-cohort", "solution", score.OutcomePassed},
		{"expired-issuer", "naive", score.OutcomeMissed},
		{"expired-issuer", "solution", score.OutcomePassed},
		{"killed-probes", "naive", score.OutcomeMissed},
		{"killed-probes", "both-pinned", score.OutcomeMissed},
		{"killed-probes", "solution", score.OutcomePassed},
		{"masked-canary", "naive", score.OutcomeMissed},
		{"masked-canary", "solution", score.OutcomePassed},
		{"mtls-first", "naive", score.OutcomeMissed},
		{"mtls-first", "own-policy", score.OutcomeMissed},
		{"mtls-first", "second-line", score.OutcomeIncomplete},
		{"mtls-first", "solution", score.OutcomePassed},
		{"hidden-segment", "naive", score.OutcomeMissed},
		{"hidden-segment", "solution", score.OutcomePassed},
		{"tail-latency", "naive", score.OutcomeMissed},
		{"tail-latency", "mend", score.OutcomeRolledBack},
		{"tail-latency", "solution", score.OutcomePassed},
		{"retry-storm", "naive", score.OutcomeMissed},
		{"retry-storm", "mesh-retries", score.OutcomeMissed},
		{"retry-storm", "solution", score.OutcomePassed},
		{"silent-metrics", "naive", score.OutcomeRolledBack},
		{"silent-metrics", "mend", score.OutcomeMissed},
		{"silent-metrics", "solution", score.OutcomePassed},
	}
}

// TestLibrary plays each scenario's variants of guardrails on several seeds. Each seed is judged as
// a trial of its own, so that one seed's failure does not hide behind another's success.
func TestLibrary(t *testing.T) {
	unguarded := map[string][]score.RunResult{} // by scenario: the same for all variants
	for _, x := range expectations() {
		if !strings.Contains(x.scenario, *scenarioFlag) {
			continue
		}
		t.Run(x.scenario+"/"+x.variant, func(t *testing.T) {
			s := runSpec(t, x.scenario, "", "", 0).Scenario
			n := librarySeeds(t, x.variant, 3)
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
func results(t *testing.T, role score.Role, name, variant, version string, n int) []score.RunResult {
	t.Helper()
	spec := runSpec(t, name, variant, version, 0)
	specs := make([]cluster.RunSpec, n)
	for i := range specs {
		specs[i] = spec
		specs[i].Seed = uint64(i) + 1
	}
	runs := make([]score.RunResult, n)
	player := run.InProcess{Cluster: sim.Cluster{Version: "test"}}
	err := run.PlayAll(context.Background(), player, specs, runtime.GOMAXPROCS(0), func(i int) (run.Log, error) {
		runs[i] = score.RunResult{Role: role, Timeline: new(timeline.Timeline)}
		return timelineLog{runs[i].Timeline}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// timelineLog keeps only the timeline of a run.
type timelineLog struct{ *timeline.Timeline }

func (l timelineLog) Write(e event.Event) { l.Fold(e) }
func (l timelineLog) Close() error        { return nil }
