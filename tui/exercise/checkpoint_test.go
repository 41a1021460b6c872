package exercise

import (
	"strings"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/tui/backendtest"
)

// ofEachKind has a question of each kind.
func ofEachKind() []scenario.Question {
	return []scenario.Question{
		{Kind: scenario.KindSingle, Question: "What does the average show?", Answers: []string{"B"},
			Options: []string{"75 %", "99.5 %", "98 %"}, Why: "Two percent of a quarter is half a percent."},
		{Kind: scenario.KindMultiple, Question: "Which of these limit how many users a release hurts? Think of what " +
			"happens between two checks.",
			Options: []string{"Steps that begin with a small share of the traffic, and grow only when checks pass.",
				"A threshold of more than one failed check.", "A rollback that was rehearsed."},
			Answers: []string{"A", "C"}, Why: "A threshold bears chance, and makes a rollback later."},
		{Kind: scenario.KindNumber, Question: "How many of its requests does a check see?", Value: 12, Tolerance: 1,
			Unit: "requests", Why: "4 × 0.05 × 60 = 12."},
		{Kind: scenario.KindText, Question: "What is the first action when the error rate of a canary rises?",
			Answers: []string{"abort", "roll back"}, Why: "Abort, and then investigate."},
	}
}

// typed presses the letters of a text.
func (c *harness) typed(text string) {
	for _, r := range text {
		if r == ' ' {
			c.Press("space")
		} else {
			c.Press(string(r))
		}
	}
}

func TestQuizKinds(t *testing.T) {
	h := backendtest.New()
	h.Questions = ofEachKind()
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("z")
	c.WaitFor("question 1 of 4")
	backendtest.Golden(t, "kind-single-80x24.txt", c.View())
	c.Press("b", "enter")
	c.WaitFor("question 2 of 4")
	c.Press("enter")
	c.WaitFor("mark at least one with space")
	c.Press("space", "c", "b", "b")
	backendtest.Golden(t, "kind-multiple-80x24.txt", c.View())
	c.Press("enter")
	c.WaitFor("✓ Correct.")
	c.Press("enter")
	c.WaitFor("question 3 of 4")
	c.typed("a lot?q")
	c.Press("enter")
	c.WaitFor("write a number, such as 25")
	for range "a lot?q" {
		c.Press("backspace")
	}
	c.typed("14 req")
	backendtest.Golden(t, "kind-number-80x24.txt", c.View())
	for range " req" {
		c.Press("backspace")
	}
	c.Press("enter")
	c.WaitFor("✗ The answer is 12 ± 1 requests.")
	backendtest.Golden(t, "kind-number-wrong-80x24.txt", c.View())
	c.Press("enter")
	c.WaitFor("question 4 of 4")
	c.typed("Roll-back")
	backendtest.Golden(t, "kind-text-80x24.txt", c.View())
	c.Press("enter")
	c.WaitFor("✓ Correct.")
	c.Press("enter")
	c.WaitFor("3 of 4 correct")
	c.WaitWhile(func() bool { return c.exercise.entry.QuizOf == 0 }, "the result")
	if e := h.Entries["segment"]; e.QuizRight != 3 || e.QuizOf != 4 {
		t.Errorf("the progress is %+v", e)
	}
}

// atCheckpoints has questions of all moments, with gates where set.
func atCheckpoints(gate bool) []scenario.Question {
	return []scenario.Question{
		{Kind: scenario.KindNumber, Question: "Predict: at which weight will v2 be stopped?",
			Expression: "run.weight_at_abort", When: "run.rolled_back", Tolerance: 1, Unit: "%",
			At: scenario.CheckpointPredict, Gate: gate, Why: "The checks need the requests of this step."},
		{Kind: scenario.KindSingle, Question: "What does Flagger do now?", At: scenario.CheckpointFailedCheck,
			Gate: gate, Options: []string{"It rolls back.", "It waits."}, Answers: []string{"B"},
			Why: "One check is no threshold."},
		{Kind: scenario.KindText, Question: "Who was hurt?", Expression: "run.cohorts[0].name",
			When: "run.harm > 0", At: scenario.CheckpointVerdict, Gate: gate, Why: "The card says so."},
	}
}

// TestCheckpoints leads through the three moments and compares the prediction with the run.
func TestCheckpoints(t *testing.T) {
	h := backendtest.New()
	h.Questions, h.Caught = atCheckpoints(true), true
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("Before the rollout: segment")
	if calls := strings.Join(h.Calls(), " "); strings.Contains(calls, "play") {
		t.Fatalf("it was played before the gate: %s", calls)
	}
	c.Press("esc")
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("Before the rollout: segment")
	c.typed("50")
	backendtest.Golden(t, "predict-80x24.txt", c.View())
	c.Press("enter")
	c.WaitFor("Rollout")
	c.WaitWhile(func() bool { return c.exercise.lastTrial == nil }, "the trial")
	c.Press("c")
	c.WaitFor("At the first failed check: segment")
	backendtest.Golden(t, "failed-check-80x24.txt", c.View())
	c.Press("esc")
	c.WaitFor("Rollout")
	c.Press("end")
	c.WaitFor("At the first failed check: segment")
	c.Press("b", "enter")
	c.WaitFor("Rollout")
	c.Press("c")
	c.WaitFor("After the verdict: segment")
	c.Press("esc")
	c.WaitFor("Rollout")
	c.Press("c")
	c.WaitFor("After the verdict: segment")
	c.typed("premium")
	c.Press("enter")
	c.WaitFor("✓ Correct.")
	c.Press("enter")
	c.WaitFor("Predictions and the run")
	backendtest.Golden(t, "predictions-80x24.txt", c.View())
	c.Press("enter")
	c.WaitFor("PASSED")
	if right, of := c.exercise.quizScore(); right != 2 || of != 3 {
		t.Errorf("%d of %d right, want 2 of 3", right, of)
	}
}

// TestCheckpointsAreSkipped checks that a checkpoint without a gate is passed by tab, once, and that esc
// goes up instead.
func TestCheckpointsAreSkipped(t *testing.T) {
	h := backendtest.New()
	h.Questions, h.Caught = atCheckpoints(false), true
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("Before the rollout: segment")
	c.Press("esc")
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("Before the rollout: segment")
	c.Press("tab")
	c.WaitFor("Rollout")
	c.WaitWhile(func() bool { return c.exercise.lastTrial == nil }, "the trial")
	c.Press("c")
	c.WaitFor("After the verdict: segment")
	c.Press("tab")
	c.WaitFor("PASSED")
	c.Press("r")
	c.WaitFor("PASSED")
}
