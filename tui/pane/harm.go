package pane

import (
	"fmt"

	"coalmine/lab/format"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Comparison is the unguarded run of the same seed: at the same time since its release, and at its
// end.
type Comparison struct {
	Now, End recording.State
}

// Harm draws how many users were hurt so far, and how many would have been without guardrails. It
// needs four lines.
func Harm(a canvas.Area, s recording.State, unguarded *Comparison) {
	n, what := harmCount(s)
	style := theme.Good
	if n > 0 {
		style = theme.Bad
	}
	x := a.Text(0, 0, style|theme.Bold, format.Number(n))
	x = a.Text(x+1, 0, theme.Bold, what)
	if s.Harm > 0 && n != s.Harm {
		a.Text(x, 0, theme.Muted, canvas.Truncate(fmt.Sprintf(", %s requests", format.Number(s.Harm)), a.Width()-x))
	}
	if unguarded == nil || !s.Run.Guarded {
		drawLines(a, 1, theme.Muted, harmTimes(s))
		return
	}
	now, _ := harmCountLike(unguarded.Now, s)
	end, _ := harmCountLike(unguarded.End, s)
	scale := float64(max(1, n, end))
	bar := func(y int, name string, n int, s theme.Style) {
		a.Text(0, y, theme.Muted, name)
		a.Right(20, y, theme.Plain, format.Number(n))
		chart.Bar(a, 21, y, a.Width()-21, float64(n)/scale, s)
	}
	bar(1, "so far", n, style)
	bar(2, "unguarded", now, theme.Unguarded)
	a.Text(0, 3, theme.Muted, canvas.Truncate(fmt.Sprintf("%s by the end without guardrails",
		format.Number(end)), a.Width()))
}

// harmCount returns the number of users hurt if the log has it so far, else of requests, with its
// unit.
func harmCount(s recording.State) (int, string) {
	switch {
	case s.Hurt > 0 || s.Harm == 0:
		return s.Hurt, usersHurt(s.Hurt)
	case s.Totals != nil && len(s.Totals.Hurt) > 0:
		n := 0
		for _, h := range s.Totals.Hurt {
			n += h
		}
		return n, usersHurt(n)
	}
	if s.Harm == 1 {
		return 1, "request harmed"
	}
	return s.Harm, "requests harmed"
}

func usersHurt(n int) string {
	if n == 1 {
		return "user hurt"
	}
	return "users hurt"
}

// harmCountLike counts in the same unit as another state.
func harmCountLike(s, like recording.State) (int, string) {
	if like.Hurt == 0 && like.Harm > 0 && like.Totals == nil {
		return s.Harm, "requests"
	}
	return harmCount(s)
}

func harmTimes(s recording.State) []string {
	if s.Harm == 0 {
		return []string{"no harm so far"}
	}
	return []string{"since " + format.Clock(s.FirstHarm.At), "last at " + format.Clock(s.LastHarm.At)}
}

// drawLines draws texts one below the other.
func drawLines(a canvas.Area, y int, s theme.Style, texts []string) {
	for i, t := range texts {
		a.Text(0, y+i, s, canvas.Truncate(t, a.Width()))
	}
}

// HarmText returns the harm so far in a few words.
func HarmText(s recording.State) string {
	n, what := harmCount(s)
	if n == s.Harm {
		return format.Number(n) + " " + what
	}
	return fmt.Sprintf("%s %s, %s requests", format.Number(n), what, format.Number(s.Harm))
}
