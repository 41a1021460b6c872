package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./lab/report -update:\n%s", path, diff)
	}
}

func testScenario() *scenario.Scenario {
	return &scenario.Scenario{
		Name: "segment", Title: "The checkout that fails for premium customers only",
		Rubric: scenario.Rubric{
			MaxHarm: 0.15, MinCanaryRequests: 50, Preconditions: []string{"mtls"},
			Items: []scenario.RubricItem{
				{ID: "caught", Points: 30, Hint: "Add a metric for the premium cohort: the average hides a fifth of " +
					"the users."},
				{ID: "healthy-promoted", Points: 20, Hint: "Raise the threshold, or ask for more requests " +
					"before judging."},
				{ID: "harm-share", Title: "At most 15 % of the harm gets through", Points: 20,
					Hint: "Shorter intervals cost nothing while the weight is low."},
				{ID: "detect-within", Points: 10, Limit: 60},
				{ID: "cohort-harm", Points: 10, Limit: 0.2},
				{ID: "mtls", Points: 10, Hint: "Call the gate http://gate.coalmine/mtls in a pre-rollout webhook, " +
					"before the canary gets its first request."},
			},
		},
	}
}

func runs(faulty ...*script.Script) []score.RunResult {
	var all []score.RunResult
	for i, f := range faulty {
		seed := uint64(i + 1)
		all = append(all, result(score.RoleFaulty, f), result(score.RoleUnguarded, script.Unguarded(seed)),
			result(score.RoleHealthy, script.Promoted("healthy", seed)))
	}
	return all
}

func result(p score.Role, s *script.Script) score.RunResult {
	return score.RunResult{Role: p, Timeline: timeline.Build(s.Events())}
}

// trialOf is the trial of some runs.
func trialOf(runs []score.RunResult) *model.Trial {
	s := testScenario()
	return &model.Trial{Scenario: s, Card: score.Trial(s, runs), Runs: runs}
}

func text(t *testing.T, c *model.Trial, o report.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, c, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCards(t *testing.T) {
	broken := script.Ready("faulty", 1, true).Release().Traffic(5).End(event.OutcomeLabFault)
	cards := map[string]*model.Trial{
		"passed.txt": trialOf(append(runs(script.RolledBack(1), script.RolledBack(2)),
			result(score.RoleReference, script.RolledBack(1)), result(score.RoleReference, script.RolledBack(2)))),
		"missed.txt":       trialOf(runs(script.RolledBack(1), script.Promoted("faulty", 2), script.RolledBack(3))),
		"lab-failed.txt":   trialOf(runs(broken)),
		"inconclusive.txt": trialOf(nil),
	}
	for name, card := range cards {
		t.Run(name, func(t *testing.T) { golden(t, name, text(t, card, report.Options{})) })
	}
}

func TestNarrativeOfARun(t *testing.T) {
	var b bytes.Buffer
	single := trialOf([]score.RunResult{result(score.RoleFaulty, script.RolledBack(7))})
	single.Card = score.Evaluate(single.Scenario, single.Runs)
	single.Single = single.Runs[0].Timeline
	if err := report.Run(&b, single, report.Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "run.txt", b.String())
}

func TestNoLineIsTooWide(t *testing.T) {
	card := trialOf(runs(script.RolledBack(1), script.Promoted("faulty", 2)))
	for _, width := range []int{0, 40, 80, 100, 200} {
		for line := range strings.Lines(text(t, card, report.Options{Width: width})) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > min(100, max(80, width)) {
				t.Errorf("width %d: a line has %d columns: %q", width, n, line)
			}
		}
	}
}

func TestColorChangesNothingElse(t *testing.T) {
	card := trialOf(runs(script.RolledBack(1), script.Promoted("faulty", 2)))
	coloured := text(t, card, report.Options{Color: true})
	if !strings.Contains(coloured, "\x1b[") {
		t.Fatal("no colour")
	}
	bare := coloured
	for _, code := range []string{"0", "1", "2", "31", "32", "33", "34", "35", "36"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	var lines []string
	for l := range strings.Lines(bare) {
		lines = append(lines, strings.TrimRight(l, " \n"))
	}
	if diff := cmp.Diff(text(t, card, report.Options{}), strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("colour changes the text:\n%s", diff)
	}
}

// Text from manifests and tools must not reach the terminal as commands.
func TestForeignTextCannotControlTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.String().Draw(t, "text") + "\x1b[2J\x9b31m\r\n\a"
		c := score.Card{Title: evil, Scenario: evil, Reason: evil, Exit: 3, Outcome: score.OutcomeMissed,
			Runs: []score.Row{{Run: evil, Role: "faulty", Reason: evil, End: event.Seconds(1e9),
				Track: []score.Exposure{{Weight: 50}}}},
			Items:   []score.Item{{Title: evil, Reason: evil, Hint: evil, Max: 1}},
			Harm:    score.Harm{Learner: 1, Cohorts: []score.CohortHarm{{Cohort: evil, Harm: 1}}},
			Players: score.Players{Cluster: evil, Mesh: evil},
		}
		var b bytes.Buffer
		if err := report.Text(&b, &model.Trial{Card: c}, report.Options{}); err != nil {
			t.Fatal(err)
		}
		s := script.Ready("faulty", 1, true)
		s.Add(event.Alert{Message: evil, Provider: evil}).Add(event.Deleted{ObjectKind: evil, Name: evil}).Gate(
			evil, false)
		if err := report.Run(&b, &model.Trial{Single: timeline.Build(s.Events())}, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool {
			return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0
		}); i >= 0 {
			t.Fatalf("control character at %d: %q", i, b.String()[max(0, i-20):i+5])
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	trial := trialOf(runs(script.RolledBack(1)))
	card := trial.Card
	var b bytes.Buffer
	if err := report.JSON(&b, trial); err != nil {
		t.Fatal(err)
	}
	golden(t, "card.json", b.String())
	var back score.Card
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(card, back); diff != "" {
		t.Errorf("the card differs after JSON (-want +got):\n%s", diff)
	}
}
