package trial_test

import (
	"slices"
	"strings"
	"testing"

	"coalmine/lab/guardrail"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
)

// foreign is a set of testdata/foreign.txtar, which has names of its own and may be for another mesh,
// and what becomes of the faulty and of the healthy release.
type foreign struct {
	set             string
	faulty, healthy score.Verdict
	// leftOut are the kinds of what is played otherwise, and says is in the explanation of the faulty
	// release.
	leftOut, says string
}

func foreigners() []foreign {
	return []foreign{
		{set: "linkerd-guide", faulty: score.Caught, healthy: score.Promoted},
		{set: "gateway-steps", faulty: score.Caught, healthy: score.Promoted, leftOut: "mesh query"},
		{set: "gateway-affinity", faulty: score.Caught, healthy: score.Promoted, leftOut: "mesh query"},
		// No user of the scenario is one of the testers: others take part. The analysis fits the scenario.
		{set: "gateway-ab", faulty: score.Caught, healthy: score.Promoted, leftOut: "interval match mesh query"},
		// Linkerd mirrors nothing: the load test is sent to the canary.
		{set: "gateway-mirror", faulty: score.Caught, healthy: score.Promoted,
			leftOut: "check interval mesh mirror"},
		{set: "gateway-mirror-alone", faulty: score.Starved, healthy: score.RolledBack, leftOut: "check mesh mirror",
			says: "never had a value"},
		{set: "gateway-bluegreen", faulty: score.Caught, healthy: score.Promoted, leftOut: "mesh query"},
		// A load test as long as two intervals leaves out every third check.
		{set: "bluegreen-gap", faulty: score.Starved, healthy: score.RolledBack, leftOut: "mesh query",
			says: "let it run for longer"},
		{set: "istio-steps", faulty: score.Caught, healthy: score.Promoted, leftOut: "check mesh"},
		// What is in other folders of a production cluster is left out.
		{set: "elsewhere", faulty: score.Caught, healthy: score.Promoted, leftOut: "check mesh webhook"},
		// Clients whose proxies do not know the canary yet have no other backend in an A/B test.
		{set: "istio-labels", faulty: score.Caught, healthy: score.HurtUsers, leftOut: "match mesh"},
		{set: "nginx-steps", faulty: score.Caught, healthy: score.Promoted, leftOut: "mesh"},
	}
}

// TestForeign plays guardrails that are written for other names, gateways and meshes as they are.
func TestForeign(t *testing.T) {
	all := sets(t, "testdata/foreign.txtar")
	a := newArena(t, "full-rollout")
	for _, f := range foreigners() {
		t.Run(f.set, func(t *testing.T) {
			t.Parallel()
			env := guardrail.EnvironmentOf(a.scenario)
			env.Map = []guardrail.NameRule{{Name: "storefront", To: "backend"}}
			set, err := guardrail.Parse(all[f.set], env)
			if err != nil {
				t.Fatal(err)
			}
			f.check(t, a.trial(t, set))
		})
	}
	if len(all) != len(foreigners()) {
		t.Errorf("%d sets, %d rows", len(all), len(foreigners()))
	}
}

// trial plays the faulty and the healthy release of one seed.
func (a *arena) trial(t *testing.T, set *guardrail.Set) *model.Trial {
	t.Helper()
	release := a.scenario.Release
	runs := []score.RunResult{
		{Role: score.RoleUnguarded, Timeline: a.baseline(t, 1)},
		{Role: score.RoleFaulty, Timeline: a.play(t, release.Faulty, set, 1)},
		{Role: score.RoleHealthy, Timeline: a.play(t, release.Healthy, set, 1)},
	}
	return &model.Trial{Scenario: a.scenario, Runs: runs, Card: score.Trial(a.scenario, runs)}
}

func (f foreign) check(t *testing.T, trial *model.Trial) {
	t.Helper()
	card := trial.Card
	for i, want := range []score.Verdict{f.faulty, f.healthy} {
		if r := card.Runs[i]; r.Verdict != want {
			t.Errorf("%s: %s: %s, want %s", r.Role, r.Verdict, r.Reason, want)
		}
	}
	var kinds []string
	if card.Basis != nil {
		for _, l := range card.Basis.LeftOut {
			kinds = append(kinds, l.What)
		}
	}
	var facts []string
	for _, fact := range trial.Explanation().Facts {
		facts = append(facts, fact.Line())
	}
	if text := strings.Join(facts, "\n"); !strings.Contains(text, f.says) {
		t.Errorf("explained by\n%s\nwithout %q", text, f.says)
	}
	slices.Sort(kinds)
	if got := strings.Join(slices.Compact(kinds), " "); got != f.leftOut {
		t.Errorf("played otherwise: %q, want %q", got, f.leftOut)
	}
}
