package sim_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"coalmine/lab/cluster/sim"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// TestCheckSeeds plays the solution and the naive guardrails of each scenario on check seeds: three,
// or as many as -seeds says. The solution passes on all of them, the naive ones on none.
func TestCheckSeeds(t *testing.T) {
	for _, x := range expectations() {
		if x.variant != scenario.Solution && x.variant != "naive" || !strings.Contains(x.scenario, *scenarioFlag) {
			continue
		}
		t.Run(x.scenario+"/"+x.variant, func(t *testing.T) {
			spec := runSpec(t, x.scenario, x.variant, "", 0)
			seeds := folder.CheckSeeds("", "", nil, x.scenario, librarySeeds(t, x.variant))
			player := run.InProcess{Cluster: sim.Cluster{Version: "test"}}
			results, err := trial.Check(context.Background(), spec, seeds, player, runtime.GOMAXPROCS(0), nil)
			if err != nil {
				t.Fatal(err)
			}
			m := marginOf(results)
			t.Logf("points %d to %d, harm %.4f to %.4f", m.leastPoints, m.mostPoints, m.leastHarm, m.mostHarm)
			for _, r := range results {
				if passed := r.Exit == score.ExitPassed; passed != (x.variant == scenario.Solution) {
					t.Errorf("check seed %d, which drew %s: %s (%s)", r.Seed, score.DrawnText(r.Drawn), r.Outcome,
						r.Reason)
				}
			}
		})
	}
}

// margin is the range of what guardrails get on check seeds.
type margin struct {
	leastPoints, mostPoints int
	leastHarm, mostHarm     float64
}

func marginOf(results []folder.CheckSeed) margin {
	m := margin{leastPoints: 1000, leastHarm: 1000}
	for _, r := range results {
		m.leastPoints, m.mostPoints = min(m.leastPoints, r.Points), max(m.mostPoints, r.Points)
		if r.GotThrough != nil {
			m.leastHarm, m.mostHarm = min(m.leastHarm, *r.GotThrough), max(m.mostHarm, *r.GotThrough)
		}
	}
	return m
}
