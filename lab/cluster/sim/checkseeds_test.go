package sim_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// TestCheckSeeds plays the solution and the naive guardrails of each scenario on check seeds: one,
// or as many as -seeds says. The solution passes on all of them, the naive ones on none, by the
// margin that docs/seeds.md states.
func TestCheckSeeds(t *testing.T) {
	for _, x := range expectations() {
		if x.variant != scenario.Solution && x.variant != "naive" || !strings.Contains(x.scenario, *scenarioFlag) {
			continue
		}
		t.Run(x.scenario+"/"+x.variant, func(t *testing.T) {
			spec := runSpec(t, x.scenario, x.variant, "", 0)
			seeds := folder.CheckSeeds("", "", nil, x.scenario, librarySeeds(t, x.variant, 1))
			results := playCheck(t, spec, seeds)
			for _, r := range results {
				if passed := r.Exit == score.ExitPassed; passed != (x.variant == scenario.Solution) {
					t.Errorf("check seed %d, which drew %s: %s (%s)", r.Seed, score.DrawnText(r.Drawn), r.Outcome,
						r.Reason)
				}
			}
			checkMargin(t, x, results)
		})
	}
}

// checkMargin compares results with the margin in the documentation. The figures there are bounds,
// so that fewer seeds keep them too.
func checkMargin(t *testing.T, x expectation, results []folder.CheckSeed) {
	t.Helper()
	least, most, harm := math.MaxInt, 0, 0.0
	for _, r := range results {
		least, most = min(least, r.Points), max(most, r.Points)
		if r.GotThrough != nil {
			harm = max(harm, *r.GotThrough)
		}
	}
	percent := int(math.Ceil(harm * 100))
	t.Logf("%d seeds: %d to %d points, at most %d %% of the harm got through", len(results), least, most, percent)
	solution, limit, naive := margins(t, x.scenario)
	switch {
	case x.variant == scenario.Solution && (least < solution || percent > limit):
		t.Errorf("the solution has %d points or more and lets %d %% of the harm through; docs/seeds.md says %d "+
			"and %d %%", least, percent, solution, limit)
	case x.variant == "naive" && most > naive:
		t.Errorf("the naive guardrails have up to %d points; docs/seeds.md says %d", most, naive)
	}
}

// margins reads a scenario's row of the table in the documentation: the least points of the
// solution, the most harm in percent that it lets through, and the most points of the naive
// guardrails.
func margins(t *testing.T, name string) (solution, harm, naive int) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/seeds.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		row := strings.NewReplacer("|", " ", "`", "", "%", "").Replace(line)
		row = strings.Join(strings.Fields(row), " ")
		if n, _ := fmt.Sscanf(row, name+" %d %d %d", &solution, &harm, &naive); n == 3 {
			return solution, harm, naive
		}
	}
	t.Fatalf("docs/seeds.md has no margins of %s", name)
	return 0, 0, 0
}
