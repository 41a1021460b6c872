package exercise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"

	"coalmine/lab/report/model"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
	"coalmine/tui"
	"coalmine/tui/backend"
	"coalmine/tui/backendtest"
	"coalmine/tui/theme"
)

// harness is an exercise with a driver.
type harness struct {
	*backendtest.Driver
	backend  *backendtest.Backend
	exercise *Exercise
}

func open(t testing.TB, h *backendtest.Backend, width, height int) *harness {
	s := backendtest.SegmentScenario()
	l := New(t.Context(), h.Interfaces(), s, h.Entries[s.Name])
	w := tui.NewWindow(NewPage(l), theme.New(true, colorprofile.TrueColor))
	return &harness{backendtest.NewDriver(t, w, width, height), h, l}
}

// toCard runs the files and opens the card.
func (c *harness) toCard(verdict string) {
	c.Press("enter")
	c.WaitFor("Rollout")
	c.WaitWhile(func() bool { return c.exercise.lastTrial == nil || c.exercise.entry.Trials == 0 }, "a score")
	c.Press("c")
	c.WaitFor(verdict)
}

func TestViews(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		at := fmt.Sprintf("-%dx%d.txt", size[0], size[1])
		h := backendtest.New()
		c := open(t, h, size[0], size[1])
		c.WaitFor("Press enter")
		backendtest.Golden(t, "briefing"+at, c.View())
		c.toCard("INCIDENT MISSED")
		backendtest.Golden(t, "missed"+at, c.View())
		c.Press("e")
		c.WaitFor("✓ valid")
		backendtest.Golden(t, "files"+at, c.View())
		c.Press("h")
		c.WaitFor("0 of 3 taken")
		c.Press("enter")
		c.WaitFor("1 of 3 taken")
		backendtest.Golden(t, "hints"+at, c.View())
		h.Caught = true
		c.Press("esc")
		c.WaitFor("Your guardrails: segment/")
		c.Press("r")
		c.WaitFor("PASSED")
		c.WaitWhile(func() bool { return c.exercise.entry.Trials < 2 }, "the second score")
		backendtest.Golden(t, "passed"+at, c.View())
		c.Press("z")
		c.WaitFor("question 1")
		c.Press("down")
		backendtest.Golden(t, "quiz"+at, c.View())
		c.Press("enter")
		backendtest.Golden(t, "answer"+at, c.View())
	}
}

func TestExerciseFromBriefingToPass(t *testing.T) {
	h := backendtest.New()
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter to create the folder segment/")
	c.toCard("INCIDENT MISSED")
	if got, want := h.Calls(), []string{"start segment", "lint", "play segment"}; !slices.Equal(got, want) {
		t.Fatalf("asked for %v, want %v", got, want)
	}
	if e := h.Entries["segment"]; e.Points != 20 || e.Solved || e.Trials != 1 {
		t.Errorf("the progress is %+v", e)
	}
	c.Press("e")
	c.WaitFor("canary.yaml")
	c.Press("e")
	c.WaitWhile(func() bool { return c.Edited == 0 }, "the editor")
	c.Send(edited{c.exercise, nil})
	c.WaitFor("The edited files are valid")
	h.Caught = true
	c.Press("r")
	c.WaitFor("PASSED")
	c.WaitFor("20 points before, 100 now. Solved.")
	c.WaitWhile(func() bool { return c.exercise.entry.Trials < 2 }, "the progress")
	if e := h.Entries["segment"]; e.Points != 100 || !e.Solved || e.Trials != 2 {
		t.Errorf("the progress is %+v", e)
	}
	c.Press("esc")
	c.WaitFor("over")
	c.Press("esc")
	c.WaitFor("solved, best 100 of 100")
	c.Press("q")
	c.WaitWhile(func() bool { return !c.Quit }, "the end")
}

func TestErrorsBlockARun(t *testing.T) {
	h := backendtest.New()
	h.Findings = []backend.Finding{{File: "metrics.yaml", Line: 7, Error: true,
		Message: "spec.query: is missing; write PromQL"}, {File: "canary.yaml", Line: 3, Message: "looks odd"}}
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("not run: fix 1 error first")
	c.WaitFor("metrics.yaml:7")
	c.WaitFor("error: spec.query: is missing; write PromQL")
	c.WaitFor("▸ metrics.yaml")
	c.Press("r")
	c.WaitWhile(func() bool { return c.exercise.busy != "" }, "the check")
	c.WaitFor("not run: fix 1 error first")
	for _, call := range h.Calls() {
		if strings.HasPrefix(call, "play") {
			t.Error("it was played")
		}
	}
	h.Findings = nil
	c.Press("r")
	c.WaitFor("Rollout")
}

func TestPlayError(t *testing.T) {
	h := backendtest.New()
	h.PlayErr = errors.New("runs is full of run folders")
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("runs is full of run folders")
}

func TestNoEditor(t *testing.T) {
	h := backendtest.New()
	h.EditErr = errors.New("no editor was found: set EDITOR")
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("e")
	c.WaitFor("no files yet")
	c.toCard("INCIDENT MISSED")
	c.Press("e")
	c.WaitFor("▸ canary.yaml")
	c.Press("enter")
	c.WaitFor("no editor was found: set EDITOR")
	if c.Edited != 0 {
		t.Error("something was started")
	}
}

func TestHintsCostPoints(t *testing.T) {
	h := backendtest.New()
	h.Caught = true
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("h")
	c.WaitFor("It costs 5 points in later trials")
	if strings.Contains(c.View(), "premium") {
		t.Error("a hint was given away")
	}
	c.Press("enter")
	c.WaitFor("1 of 3 taken, −5 points")
	c.WaitFor("Look at premium")
	c.Press("enter")
	c.WaitFor("2 of 3 taken, −15 points")
	c.Press("esc")
	c.WaitFor("Press enter")
	c.toCard("PASSED")
	c.WaitFor("100 of 100 − 15 for hints = 85")
	if e := h.Entries["segment"]; e.Points != 85 || e.Cost != 15 || e.Hints != 2 {
		t.Errorf("the progress is %+v", e)
	}
	c.Press("h")
	c.WaitFor("Your best score does not change")
	c.Press("enter")
	c.WaitFor("3 of 3 taken")
	c.Press("esc")
	c.WaitFor("− 15 for hints = 85") // the trial was scored before the hint
}

func TestLeavingEndsTheTrial(t *testing.T) {
	h := backendtest.New()
	h.Hold = true
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("enter")
	c.WaitFor("Rollout")
	trial := c.exercise.playing.Trial
	c.Press("esc")
	c.WaitFor("A trial is being played")
	c.Press("esc")
	c.WaitFor("Rollout")
	c.Press("esc")
	c.WaitFor("A trial is being played")
	c.Press("y")
	c.WaitWhile(func() bool { return trial.Problem != "interrupted" }, "the interruption")
	c.WaitFor("Your guardrails: segment/")
	h.Hold = false
	c.toCard("INCIDENT MISSED")
}

func TestQuiz(t *testing.T) {
	h := backendtest.New()
	c := open(t, h, 80, 24)
	c.WaitFor("Press enter")
	c.Press("z")
	c.WaitFor("question 1 of 2")
	c.Press("b")
	c.WaitFor("✓ Correct.")
	c.Press("a", "enter") // already answered
	c.WaitFor("question 2 of 2")
	c.Press("enter") // A
	c.WaitFor("The answer is B.")
	c.Press("enter")
	c.WaitFor("1 of 2 correct")
	c.WaitWhile(func() bool { return c.exercise.entry.QuizOf == 0 }, "the result")
	if e := h.Entries["segment"]; e.QuizRight != 1 || e.QuizOf != 2 {
		t.Errorf("the progress is %+v", e)
	}
	c.Press("enter")
	c.WaitFor("Your task")
}

// TestRandomKeys presses random keys at random sizes: nothing panics, and no view is larger than
// the terminal.
func TestRandomKeys(t *testing.T) {
	keys := strings.Fields("up down left right enter esc home end pgup pgdown space tab e r h b z c q a m ? / 1 4 G g")
	rapid.Check(t, func(r *rapid.T) {
		h := backendtest.New()
		h.Caught = rapid.Bool().Draw(r, "caught")
		if rapid.IntRange(0, 4).Draw(r, "broken") == 0 {
			h.Findings = []backend.Finding{{File: "canary.yaml", Line: 1, Error: true,
				Message: strings.Repeat("long ", 40)}}
		}
		h.Entries["segment"] = progress.Entry{Hints: rapid.IntRange(0, 3).Draw(r, "hints")}
		width, height := 80, 24
		c := open(t, h, width, height)
		c.WaitFor("Press enter")
		for range rapid.IntRange(1, 40).Draw(r, "keys") {
			if rapid.IntRange(0, 9).Draw(r, "resize") == 0 {
				width, height = rapid.IntRange(1, 140).Draw(r, "width"), rapid.IntRange(1, 50).Draw(r, "height")
				c.Send(tea.WindowSizeMsg{Width: width, Height: height})
			}
			if c.Press(rapid.SampledFrom(keys).Draw(r, "key")); c.Quit {
				return
			}
			c.Drain()
			if c.Quit {
				return
			}
			backendtest.AssertFits(r, c.View(), width, height)
		}
	})
}

func TestCopyOfTheSolutionIsNotSolved(t *testing.T) {
	for own, want := range map[string]string{
		"": "Solved.", scenario.Solution: "A copy of the scenario's own guardrails does not solve it.",
	} {
		ex := &Exercise{previousPoints: -1}
		ex.lastTrial = &model.Trial{Card: score.Card{Exit: score.ExitPassed, Own: own}}
		if got := ex.remark(); got != want {
			t.Errorf("own guardrails %q: %q, want %q", own, got, want)
		}
	}
}
