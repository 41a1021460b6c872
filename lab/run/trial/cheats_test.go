package trial_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/run"
	"coalmine/lab/run/runtest"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// maxCheatPoints is the most that guardrails without the scenario's essentials can earn.
const maxCheatPoints = 50

// cheat is a set of guardrails that does not do what its scenario asks for, and what has to come of
// it. Sets are in testdata/cheats/SCENARIO.txtar.
type cheat struct {
	set string
	// outcome of the trial; "" if the guardrails are refused.
	outcome string
	// says is in the reason of the outcome or of the refusal.
	says string
	// lint is a rule that warns about the set; "" for any or none.
	lint string
	// seed is the first seed; 0 stands for 1.
	seed uint64
	// both is set if it takes the healthy release to see that the faulty one was not caught.
	both bool
	// long leaves the set out of short tests, for another one is of its kind.
	long bool
}

// sets reads sets of guardrails from an archive whose files are named SET/FILE.
func sets(t *testing.T, path string) map[string]map[string][]byte {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]byte{}
	for _, f := range archive.Files {
		set, file, _ := strings.Cut(f.Name, "/")
		if all[set] == nil {
			all[set] = map[string][]byte{}
		}
		all[set][file] = f.Data
	}
	return all
}

// arena plays guardrails against one scenario. The unguarded runs are shared.
type arena struct {
	scenario  *scenario.Scenario
	mu        sync.Mutex
	unguarded map[uint64]*timeline.Timeline
}

func newArena(t *testing.T, name string) *arena {
	t.Helper()
	return &arena{scenario: runtest.RunSpec(t, name, "", "", 0).Scenario, unguarded: map[uint64]*timeline.Timeline{}}
}

func (a *arena) play(t *testing.T, version string, set *guardrail.Set, seed uint64) *timeline.Timeline {
	t.Helper()
	spec := cluster.RunSpec{Scenario: a.scenario, Version: version, Guardrails: set, Seed: seed, ApproveAfter: -1}
	tl := new(timeline.Timeline)
	err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) { tl.Fold(e) })
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func (a *arena) baseline(t *testing.T, seed uint64) *timeline.Timeline {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unguarded[seed] == nil {
		a.unguarded[seed] = a.play(t, a.scenario.Release.Faulty, nil, seed)
	}
	return a.unguarded[seed]
}

// card plays the roles of the trial of one seed.
func (a *arena) card(t *testing.T, set *guardrail.Set, seed uint64, roles ...score.Role) score.Card {
	t.Helper()
	runs := []score.RunResult{{Role: score.RoleUnguarded, Timeline: a.baseline(t, seed)}}
	for _, role := range roles {
		version := a.scenario.Release.Faulty
		if role == score.RoleHealthy {
			version = a.scenario.Release.Healthy
		}
		runs = append(runs, score.RunResult{Role: role, Timeline: a.play(t, version, set, seed),
			Played: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	}
	return score.Trial(a.scenario, runs)
}

// longSeeds is how many seeds to play in a long test; 0 in a short one.
func longSeeds(t *testing.T) uint64 {
	t.Helper()
	env := os.Getenv("COALMINE_SEEDS")
	if env == "" {
		return 0
	}
	n, err := strconv.ParseUint(env, 10, 8)
	if err != nil {
		t.Fatalf("COALMINE_SEEDS=%s: not a number of seeds", env)
	}
	return n
}

// roles are those that decide an outcome: a short test plays no others.
func (c cheat) roles(long bool) []score.Role {
	switch {
	case !long && !c.both && c.outcome == score.OutcomeMissed:
		return []score.Role{score.RoleFaulty}
	case !long && (c.outcome == score.OutcomeRolledBack || c.outcome == score.OutcomeHurtUsers):
		return []score.Role{score.RoleHealthy}
	}
	return []score.Role{score.RoleFaulty, score.RoleHealthy}
}

func (c cheat) check(t *testing.T, a *arena, files map[string][]byte) {
	t.Helper()
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(a.scenario))
	if err != nil || c.outcome == "" {
		if err == nil || c.outcome != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("the guardrails are refused with %v, want outcome %q, %q", err, c.outcome, c.says)
		}
		return
	}
	warned := func(f guardrail.Finding) bool { return f.Rule == c.lint }
	if c.lint != "" && !slices.ContainsFunc(lint.Check(set), warned) {
		t.Errorf("no warning %s", c.lint)
	}
	long := longSeeds(t)
	card := a.card(t, set, max(c.seed, 1), c.roles(long > 0)...)
	if card.Outcome != c.outcome || !strings.Contains(card.Reason, c.says) || card.Points > maxCheatPoints {
		t.Errorf("%s with %d points: %s; want %s, %q", card.Outcome, card.Points, card.Reason, c.outcome, c.says)
	}
}

// Guardrails that stop everything, nothing, or their own users, that know the answer beforehand, or
// that leave the lesson out, do not pass and earn half of the points at most.
func TestCheats(t *testing.T) {
	for name, table := range cheats() {
		a, all := newArena(t, name), sets(t, "testdata/cheats/"+name+".txtar")
		for _, c := range table {
			files := all[c.set]
			if files == nil {
				t.Errorf("there is no set %s/%s", name, c.set)
			}
			delete(all, c.set)
			if c.long && longSeeds(t) == 0 {
				continue
			}
			t.Run(name+"/"+c.set, func(t *testing.T) {
				t.Parallel()
				c.check(t, a, files)
			})
		}
		for set := range all {
			t.Errorf("%s/%s is in no row of the table", name, set)
		}
	}
}

// Guardrails that were written from briefing and starter alone pass with all points: the judge is
// not made for the scenarios' own solutions.
func TestSolved(t *testing.T) {
	seeds := longSeeds(t)
	if seeds == 0 {
		seeds = 1
	}
	for name, files := range sets(t, "testdata/solved.txtar") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t, name)
			set, err := guardrail.Parse(files, guardrail.EnvironmentOf(a.scenario))
			if err != nil {
				t.Fatal(err)
			}
			for seed := range seeds {
				card := a.card(t, set, seed+1, score.RoleFaulty, score.RoleHealthy)
				if card.Outcome != score.OutcomePassed || card.Points != card.MaxPoints {
					t.Errorf("seed %d: %s with %d points: %s", seed+1, card.Outcome, card.Points, card.Reason)
				}
			}
		})
	}
}

// Guardrails that production has pass: steps or Blue/Green, success rates by pods, by clients or by
// route, with a load test, with session affinity. A short test plays one of them.
func TestFair(t *testing.T) {
	a := newArena(t, "full-rollout")
	for name, files := range sets(t, "testdata/fair.txtar") {
		if name != "compare-with-primary" && longSeeds(t) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := guardrail.Parse(files, guardrail.EnvironmentOf(a.scenario))
			if err != nil {
				t.Fatal(err)
			}
			card := a.card(t, set, 1, score.RoleFaulty, score.RoleHealthy)
			if card.Outcome != score.OutcomePassed {
				t.Errorf("%s with %d points: %s", card.Outcome, card.Points, card.Reason)
			}
		})
	}
}
