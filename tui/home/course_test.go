package home

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"coalmine/tui/backendtest"
)

// TestLessonThatEndsWithAnError checks that a problem of a lesson, which had the terminal for itself, is
// not lost, and that a lesson that was left is none.
func TestLessonThatEndsWithAnError(t *testing.T) {
	h := New(t.Context(), backendtest.New().Interfaces())
	note := func(err error) string {
		return h.learned(learnedMsg{h, "hook", err})().(libraryMsg).note
	}
	if got := note(errors.New("it is gone")); !strings.Contains(got, "coalmine learn hook") {
		t.Errorf("the note is %q", got)
	}
	for _, err := range []error{nil, exec.Command("sh", "-c", "exit 3").Run()} {
		if got := note(err); got != "" {
			t.Errorf("after %v the note is %q", err, got)
		}
	}
}

func TestKeyOfTheCourse(t *testing.T) {
	for want, c := range map[string]course{
		"course:":         {},
		"course: hook":    {next: "hook", all: 12},
		"course: value":   {next: "value", complete: 11, all: 12},
		"replay evidence": {next: "evidence", complete: 12, all: 12},
	} {
		if got := c.action(); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
