package home

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"

	"coalmine/lab/teaching/progress"
	"coalmine/tui"
	"coalmine/tui/backendtest"
	"coalmine/tui/theme"
)

func open(t testing.TB, h *backendtest.Backend, width, height int) *backendtest.Driver {
	w := tui.NewWindow(New(t.Context(), h.Interfaces()), theme.New(true, colorprofile.TrueColor))
	s := backendtest.NewDriver(t, w, width, height)
	s.WaitFor("of 4 solved")
	return s
}

// experienced returns the backend of a learner with some progress.
func experienced() *backendtest.Backend {
	h := backendtest.New()
	h.Entries["silent"] = progress.Entry{Solved: true, Points: 95, Of: 100, Cost: 5, Trials: 4, Hints: 1, QuizRight: 3,
		QuizOf: 5, Last: time.Unix(0, 0)}
	h.Entries["segment"] = progress.Entry{Points: 30, Of: 100, Trials: 1}
	return h
}

func TestViews(t *testing.T) {
	backendtest.Golden(t, "fresh-80x24.txt", open(t, backendtest.New(), 80, 24).View())
	s := open(t, experienced(), 80, 24)
	s.Press("end")
	backendtest.Golden(t, "progress-80x24.txt", s.View())
	s = open(t, experienced(), 120, 40)
	s.Press("end", "up")
	backendtest.Golden(t, "progress-120x40.txt", s.View())
	s.Press("/", "s", "i", "l")
	backendtest.Golden(t, "filter-120x40.txt", s.View())
}

func TestEasiestUnsolvedIsSelected(t *testing.T) {
	h := experienced()
	if got := open(t, h, 80, 24).View(); !strings.Contains(got, "▸   first-steps") {
		t.Errorf("first-steps is not selected:\n%s", got)
	}
	h.Entries["first-steps"] = progress.Entry{Solved: true}
	if got := open(t, h, 80, 24).View(); !strings.Contains(got, "▸ ◐ segment") {
		t.Errorf("segment is not selected:\n%s", got)
	}
}

// TestClick clicks on a scenario twice: to select and to open it.
func TestClick(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {200, 50}} {
		s := open(t, experienced(), size[0], size[1])
		y := slices.IndexFunc(strings.Split(s.View(), "\n"), func(l string) bool {
			return strings.Contains(l, " segment ")
		})
		click := tea.MouseClickMsg{X: 8, Y: y, Button: tea.MouseLeft}
		s.Send(click)
		if got := s.View(); !strings.Contains(got, "▸ ◐ segment") {
			t.Errorf("%v: segment is not selected:\n%s", size, got)
		}
		s.Send(click)
		s.WaitFor("esc back")
	}
}

func TestFilter(t *testing.T) {
	s := open(t, backendtest.New(), 80, 24)
	s.Press("/", "q", "?", "ctrl+u") // letters while the filter is edited
	s.Press(strings.Split("average segm", "")...)
	s.WaitFor("/average segm")
	got := s.View()
	if strings.Contains(got, "silent") || !strings.Contains(got, "▸   segment") {
		t.Errorf("the list is\n%s", got)
	}
	s.Press("enter")
	s.WaitFor("Your task") // the only match is opened
	s.Press("esc")
	s.WaitFor("esc clear")
	s.Press("esc")
	s.WaitFor("first-steps")
	s.Press("/", "x", "x")
	s.WaitFor("no scenario matches")
	s.Press("enter", "enter")
	s.Press("/", "backspace", "backspace", "backspace")
	s.WaitFor("first-steps")
}

func TestProgressAfterAnExercise(t *testing.T) {
	h := backendtest.New()
	h.Caught = true
	s := open(t, h, 80, 24)
	s.Press("/", "s", "e", "g", "m", "enter")
	s.WaitFor("Press enter")
	s.Press("enter")
	s.WaitFor("Rollout")
	s.WaitWhile(func() bool { e, _ := h.Load(); return !e["segment"].Solved }, "the score")
	s.Press("esc")
	s.WaitFor("✓ solved, best 100 of 100")
	s.Press("esc")
	s.WaitFor("1 of 4 solved")
	s.WaitFor("▸ ✓ segment")
	s.Press("q")
	s.WaitWhile(func() bool { return !s.Quit }, "the end")
}

// TestNext goes from the card of a trial that passed to the scenario that comes next.
func TestNext(t *testing.T) {
	h := backendtest.New()
	h.Caught = true
	s := open(t, h, 80, 24)
	s.Press("/", "s", "e", "g", "m", "enter")
	s.WaitFor("Press enter")
	s.Press("enter")
	s.WaitFor("Rollout")
	s.WaitWhile(func() bool { e, _ := h.Load(); return !e["segment"].Solved }, "the score")
	s.Press("c")
	s.WaitFor("n next")
	s.Press("n")
	s.WaitFor("first-steps · level 1")
	s.Press("esc")
	s.WaitFor("1 of 4 solved")
}

func TestUnreadableProgressIsReportedOnce(t *testing.T) {
	h := backendtest.New()
	h.Note = "progress.json: not a progress file; it was moved to progress.json.aside-1, and progress starts again"
	s := open(t, h, 80, 24)
	s.WaitFor("it was moved to")
	s.Press("enter")
	s.WaitFor("Press enter")
	s.Press("esc")
	s.WaitFor("of 4 solved")
	if got := s.View(); strings.Contains(got, "it was moved to") {
		t.Errorf("it is shown again:\n%s", got)
	}
}

func TestRandomKeys(t *testing.T) {
	keys := strings.Fields("up down left right enter esc home end pgup pgdown space / x s e ? q backspace " +
		"ctrl+u j k g G é")
	rapid.Check(t, func(r *rapid.T) {
		width, height := rapid.IntRange(1, 140).Draw(r, "width"), rapid.IntRange(1, 50).Draw(r, "height")
		s := backendtest.NewDriver(t, tui.NewWindow(New(t.Context(), experienced().Interfaces()), theme.None()),
			width, height)
		for range rapid.IntRange(1, 40).Draw(r, "keys") {
			if rapid.IntRange(0, 9).Draw(r, "resize") == 0 {
				width, height = rapid.IntRange(1, 140).Draw(r, "width"), rapid.IntRange(1, 50).Draw(r, "height")
				s.Send(tea.WindowSizeMsg{Width: width, Height: height})
			}
			s.Press(rapid.SampledFrom(keys).Draw(r, "key"))
			if s.Drain(); s.Quit {
				return
			}
			backendtest.AssertFits(r, s.View(), width, height)
		}
	})
}
