package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// own copies the naive guardrails, so that they are a learner's.
func (th *testEnv) own(t *testing.T) string {
	t.Helper()
	th.forkScenario(t, "full-rollout", "mine", replaceText("points: 40", "points: 90"))
	editFile(t, filepath.Join(th.Dir, "mine", "naive", "canary.yaml"), replaceText("interval: ", "interval: 1"))
	return filepath.Join("mine", "naive")
}

func (th *testEnv) solved(t *testing.T) bool {
	t.Helper()
	store, err := th.progressStore()
	if err != nil {
		t.Fatal(err)
	}
	all, err := store.Read()
	if err != nil {
		t.Fatal(err)
	}
	return all["full-rollout"].Solved
}

// A trial that passes on its own seeds is solved only if check seeds confirm it, and every format
// says what came of them.
func TestCheckSeedsDecide(t *testing.T) {
	for name, c := range map[string]struct {
		cluster *fakeCluster
		args    []string
		exit    int
		solved  bool
		says    string
	}{
		"confirmed": {&fakeCluster{}, nil, score.ExitPassed, true, "passed on 1 practice seed, 2 of 2 check seeds"},
		"tuned": {&fakeCluster{tuned: true}, nil, score.ExitMissed, false,
			"passed on 1 practice seed, but only 0 of 2 check seeds"},
		"without": {&fakeCluster{tuned: true}, []string{"--check-seeds", "0"}, score.ExitPassed, false,
			"passed on 1 practice seed, without check seeds"},
		"nonce given": {&fakeCluster{}, []string{"--nonce", "lucky"}, score.ExitPassed, false, `follow from "lucky"`},
		"one version": {&fakeCluster{tuned: true}, []string{"--version", "v2"}, score.ExitPassed, false, "rolled back"},
		"drawn": {&fakeCluster{tuned: true}, []string{"--drawn", "--seed", "7"}, score.ExitMissed, false,
			"seed 7 drew cohort-share of merchants"},
	} {
		t.Run(name, func(t *testing.T) {
			th := newTestEnv(t, c.cluster)
			state := t.TempDir()
			th.Getenv = func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] }
			args := append([]string{"run", "full-rollout", "-g", th.own(t), "--trials", "1", "-o", "result"}, c.args...)
			if code := th.run(t.Context(), args...); code != c.exit {
				t.Fatalf("exit code %d, want %d\n%s%s", code, c.exit, &th.out, &th.err)
			}
			if got := th.solved(t); got != c.solved {
				t.Errorf("solved is %v, want %v", got, c.solved)
			}
			for _, format := range []string{"text", "json", "md", "html", "junit"} {
				if code := th.run(t.Context(), "report", "result", "-f", format); code != c.exit {
					t.Errorf("report as %s: exit code %d, want %d", format, code, c.exit)
				}
				said := strings.NewReplacer("&#34;", `"`, `\"`, `"`, `\`, "").Replace(th.out.String())
				if name != "one version" && !strings.Contains(strings.Join(strings.Fields(said), " "), c.says) {
					t.Errorf("as %s it does not say %q:\n%s", format, c.says, said)
				}
			}
		})
	}
}

// The worst check seed can be played: the card says how.
func TestWorstCheckSeedIsPlayed(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{tuned: true})
	th.run(t.Context(), "run", "full-rollout", "-g", "naive", "--trials", "1", "--json", "-o", "result")
	var card score.Card
	if err := json.Unmarshal(th.out.Bytes(), &card); err != nil {
		t.Fatal(err)
	}
	worst := card.Check.Worst
	if card.Outcome != score.OutcomeUnconfirmed || worst == nil || worst.Reason == "" ||
		card.Points > card.MaxPoints/2 {
		t.Fatalf("%s, %d points, worst %+v", card.Outcome, card.Points, worst)
	}
	s := scenarioOf(t, th, "full-rollout")
	if want := s.Draw(worst.Seed).Drawn; score.DrawnText(want) != score.DrawnText(worst.Drawn) {
		t.Errorf("seed %d drew %v, and the card says %v", worst.Seed, want, worst.Drawn)
	}
}

func scenarioOf(t *testing.T, th *testEnv, name string) *scenario.Scenario {
	t.Helper()
	src, err := th.openScenario(name)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return src.Scenario
}

// A trial that is interrupted while check seeds are played does not pass.
func TestInterruptedCheckDoesNotPass(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	th := newTestEnv(t, &fakeCluster{stop: stop, stopAt: 6}) // 4 runs of the practice seed
	th.run(ctx, "run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "result")
	if code := th.run(t.Context(), "report", "result"); code != score.ExitInconclusive ||
		!strings.Contains(th.out.String(), "2 check seeds were not played to the end") {
		t.Errorf("report: exit code %d\n%s", code, &th.out)
	}
}

// Check seeds that do not follow from the inputs and the nonce are refused, with whatever evidence.
func TestChosenCheckSeedsAreRefused(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	th.run(t.Context(), "run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "result")
	editFile(t, filepath.Join(th.Dir, "result", "run.json"), replaceText(`"nonce": "`, `"nonce": "x`))
	if code := th.run(t.Context(), "report", "result"); code != score.ExitInvalid ||
		!strings.Contains(th.err.String(), "files were moved or edited") {
		t.Errorf("exit code %d\n%s", code, &th.err)
	}
}

func TestCheckSeedFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"--check-seeds is -1":             {"--check-seeds", "-1"},
		"leave out --version":             {"--check-seeds", "5", "--version", "v2"},
		"--nonce is for check seeds":      {"--check-seeds", "0", "--nonce", "abc"},
		`--nonce: "a b" is not a nonce`:   {"--nonce", "a b"},
		"--check-seeds is 201: write 0 t": {"--check-seeds", "201"},
	} {
		th := newTestEnv(t, &fakeCluster{})
		if code := th.run(t.Context(), append([]string{"run", "full-rollout", "-g", "naive"}, args...)...); code !=
			score.ExitInvalid || !strings.Contains(th.err.String(), want) {
			t.Errorf("%v: exit code %d, %s", args, code, &th.err)
		}
	}
}
