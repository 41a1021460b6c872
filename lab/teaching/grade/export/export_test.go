package export_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/export"
)

// class has a learner of each kind.
func class() *grade.Grading {
	avoided := 0.912
	ann := grade.Learner{Learner: "ann", Status: grade.Graded, Points: 50, Max: 100, Parts: []grade.Part{{
		Scenario: "full-rollout", Title: "T", Status: grade.Graded, Outcome: "incident missed", Points: 50,
		Max:    100,
		Reason: "not caught <b> @all\x1b[2J",
		Items: []grade.Item{{ID: "caught", Title: "Caught", Points: 40, Max: 60},
			{ID: "delivered", Title: "Delivered", Points: 40, Max: 40}},
		Runs:    []grade.Run{{Role: "faulty", Verdict: "missed", Reason: "promoted"}},
		Virtual: 600, Practice: &grade.Practice{Card: "\x1b[1mcard\x1b[0m", HarmAvoided: &avoided,
			Runs: []grade.Run{{Role: "faulty", Verdict: "caught", Good: true}}},
	}}}
	bob := grade.Learner{Learner: "bob", Status: grade.Graded, Points: 100, Max: 100, Parts: []grade.Part{{
		Scenario: "full-rollout", Status: grade.Graded, Outcome: grade.OutcomePassed, Points: 100, Max: 100,
		Real: 1.5}}}
	eve := grade.Learner{Learner: "eve", Status: grade.NotGraded, Max: 100, Parts: []grade.Part{{
		Scenario: "full-rollout", Status: grade.NotGraded, Cause: grade.CauseLimit, Reason: "took too long", Max: 100}}}
	return &grade.Grading{Config: grade.Config{Date: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		Learners: []grade.Learner{ann, bob, eve}}
}

func document(t *testing.T, v any) map[string]any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGradescope(t *testing.T) {
	g := class()
	m := document(t, export.Gradescope(&g.Learners[0]))
	if m["score"] != 50.0 || m["output_format"] != "ansi" || !strings.Contains(m["output"].(string), "\x1b[1mcard") {
		t.Errorf("the result is %v", m)
	}
	for _, test := range m["tests"].([]any) {
		x := test.(map[string]any)
		public := strings.Contains(x["name"].(string), "public run")
		if (x["visibility"] == "visible") != public || (x["visibility"] == "after_due_date") == public {
			t.Errorf("%s is %s", x["name"], x["visibility"])
		}
	}
	if board := m["leaderboard"].([]any); len(board) != 1 || board[0].(map[string]any)["value"] != 91.2 {
		t.Errorf("the leaderboard is %v", m["leaderboard"])
	}
	m = document(t, export.Gradescope(&g.Learners[2]))
	if m["score"] != nil || m["tests"] != nil || !strings.Contains(m["output"].(string), "not graded: took too long") {
		t.Errorf("without a grade the result is %v", m)
	}
}

// Classroom 50 wants whole numbers, and tests that add up.
func TestClassroom50(t *testing.T) {
	g := class()
	m := document(t, export.Classroom50(&g.Learners[0]))
	sum := 0.0
	for _, test := range m["tests"].([]any) {
		sum += test.(map[string]any)["score"].(float64)
	}
	if m["schema"] != "classroom50/result/v1" || m["score"] != 50.0 || m["max-score"] != 100.0 || sum != 50 {
		t.Errorf("the result is %v, its tests add up to %v", m, sum)
	}
	if export.Classroom50(&g.Learners[2]) != nil {
		t.Error("there is a result without a grade")
	}
}

func TestScores(t *testing.T) {
	data, err := export.Scores(class())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"userId":"bob","scoreGiven":100,"scoreMaximum":100,"timestamp":"2026-12-01T00:00:00.000Z",` +
		`"activityProgress":"Completed","gradingProgress":"FullyGraded"}
{"userId":"eve","comment":"not graded: took too long","timestamp":"2026-12-01T00:00:00.000Z",` +
		`"activityProgress":"Submitted","gradingProgress":"Failed"}
`
	if _, rest, _ := strings.Cut(string(data), "\n"); rest != want {
		t.Errorf("the scores are\n%s, want after the first\n%s", data, want)
	}
}

func TestJUnit(t *testing.T) {
	data, err := export.JUnit(class())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tests, Failures, Errors int `xml:",attr"`
	}
	if err := xml.Unmarshal([]byte(strings.NewReplacer("tests=", "Tests=", "failures=", "Failures=", "errors=",
		"Errors=").Replace(string(data))), &got); err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if got.Tests != 3 || got.Failures != 1 || got.Errors != 1 || strings.Count(text, " time=") != 2 ||
		!strings.Contains(text, `<error message="not graded: took too long" type="limit">`) ||
		!strings.Contains(text, `<property name="virtual time" value="`) {
		t.Errorf("%+v in\n%s", got, data)
	}
}

func TestRelease(t *testing.T) {
	text := string(export.Release(&class().Learners[0]))
	if strings.ContainsAny(text, "\x1b") || strings.Contains(text, " <b>") || strings.Contains(text, " @all") ||
		!strings.Contains(text, "| 40/60 | Caught |") {
		t.Errorf("the text is\n%s", text)
	}
}
