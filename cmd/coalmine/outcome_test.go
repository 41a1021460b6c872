package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/verdict/score"
)

type outcomeCase struct {
	cluster *fakeCluster
	args    []string
	exit    int
	outcome string
	// verdicts are those of the learner's runs, as replay prints them.
	verdicts []string
}

func outcomeCases() map[string]outcomeCase {
	return map[string]outcomeCase{
		"faulty alone, caught": {&fakeCluster{}, []string{"--version", "v2"}, score.ExitPassed,
			score.OutcomePassed, []string{"caught"}},
		"faulty alone, missed": {&fakeCluster{careless: true}, []string{"--version", "v2"}, score.ExitMissed,
			score.OutcomeMissed, []string{"missed"}},
		"faulty alone, two seeds": {&fakeCluster{}, []string{"--version", "v2", "--trials", "2"}, score.ExitPassed,
			score.OutcomePassed, []string{"caught"}},
		"healthy alone, delivered": {&fakeCluster{}, []string{"--version", "v3"}, score.ExitPassed,
			score.OutcomePassed, []string{"promoted"}},
		"healthy alone, held up": {&fakeCluster{fussy: true}, []string{"--version", "v3"}, score.ExitRolledBack,
			score.OutcomeRolledBack, []string{"rolled back"}},
		"trial, passed": {&fakeCluster{}, nil, score.ExitPassed, score.OutcomePassed,
			[]string{"caught", "promoted"}},
		"trial, missed": {&fakeCluster{careless: true}, nil, score.ExitMissed, score.OutcomeMissed,
			[]string{"missed", "promoted"}},
		"trial, healthy held up": {&fakeCluster{fussy: true}, nil, score.ExitRolledBack, score.OutcomeRolledBack,
			[]string{"caught", "rolled back"}},
		"trial, interrupted": {&fakeCluster{stopAt: 2}, nil, score.ExitInconclusive, score.OutcomeInconclusive,
			[]string{"caught", "inconclusive"}},
		"faulty alone, interrupted": {&fakeCluster{stopAt: 1}, []string{"--version", "v2"}, score.ExitInconclusive,
			score.OutcomeInconclusive, []string{"inconclusive"}},
		"lab fault": {&fakeCluster{broken: true}, nil, score.ExitLabFailed, score.OutcomeLabFailed,
			[]string{"inconclusive"}},
		"lab fault, faulty alone": {&fakeCluster{broken: true}, []string{"--version", "v2"}, score.ExitLabFailed,
			score.OutcomeLabFailed, []string{"inconclusive"}},
	}
}

// TestOneOutcome checks that the exit code, the card and every view of a run folder agree.
func TestOneOutcome(t *testing.T) {
	for name, c := range outcomeCases() {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.cluster.stopAt > 0 {
				c.cluster.stop = stop
			}
			th := newTestEnv(t, c.cluster)
			args := append([]string{"run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "result"}, c.args...)
			if code := th.run(ctx, args...); code != c.exit {
				t.Errorf("run: exit code %d, want %d\n%s", code, c.exit, &th.err)
			}
			if c.cluster.stopAt == 0 && !c.cluster.broken { // a run that ends early writes no card
				checkCard(t, "card.json", read(t, th.Dir, "result", "card.json"), c.exit, c.outcome)
			}
			for format, check := range map[string]func(*testing.T, string, string){
				"json":       func(t *testing.T, out, _ string) { checkCard(t, "json", out, c.exit, c.outcome) },
				"text":       containsFold,
				"md":         containsFold,
				"html":       containsFold,
				"junit":      checkJUnit,
				"postmortem": func(*testing.T, string, string) {}, // covers one run
			} {
				if code := th.run(t.Context(), "report", "result", "-f", format); code != c.exit {
					t.Errorf("report as %s: exit code %d, want %d\n%s", format, code, c.exit, &th.err)
				}
				check(t, th.out.String(), c.outcome)
			}
			if code := th.run(t.Context(), "replay", "result", "--plain"); code != score.ExitPassed {
				t.Errorf("replay: exit code %d\n%s", code, &th.err)
			}
			for _, v := range c.verdicts {
				containsFold(t, th.out.String(), v)
			}
			live, err := openLiveTrial(filepath.Join(th.Dir, "result"))
			if err != nil {
				t.Fatal(err)
			}
			if live.Card.Exit != c.exit || live.Card.Outcome != c.outcome {
				t.Errorf("the deck's card is %q (exit code %d), want %q (%d)", live.Card.Outcome, live.Card.Exit,
					c.outcome, c.exit)
			}
		})
	}
}

func checkCard(t *testing.T, name, text string, exit int, outcome string) {
	t.Helper()
	var card score.Card
	if err := json.Unmarshal([]byte(text), &card); err != nil || card.Exit != exit || card.Outcome != outcome {
		t.Errorf("%s is %q (exit code %d), error %v, want %q (%d)", name, card.Outcome, card.Exit, err, outcome, exit)
	}
}

func containsFold(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(strings.ToLower(text), want) {
		t.Errorf("%q is missing from:\n%s", want, text)
	}
}

// checkJUnit checks the outcome, and that a run failed only if it is bad.
func checkJUnit(t *testing.T, text, outcome string) {
	t.Helper()
	var suites struct {
		Suites []struct {
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
			Cases []struct {
				Class   string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(text), &suites); err != nil {
		t.Fatal(err)
	}
	for _, p := range suites.Suites[0].Properties {
		if p.Name == "outcome" && p.Value != outcome {
			t.Errorf("JUnit has the outcome %q, want %q", p.Value, outcome)
		}
	}
	failed := false
	for _, c := range suites.Suites[0].Cases {
		failed = failed || c.Failure != nil && strings.HasSuffix(c.Class, ".runs")
	}
	if bad := outcome == score.OutcomeMissed || outcome == score.OutcomeRolledBack; failed != bad {
		t.Errorf("with the outcome %q, JUnit has a failed run: %v", outcome, failed)
	}
}
