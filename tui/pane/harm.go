package pane

import (
	"fmt"

	"coalmine/lab/format"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Comparison is a run of the same seed without any guardrail: at the same time since its release, and in the end.
type Comparison struct {
	Now, End recording.State
}

// Harm draws how many users were hurt so far, and how many would have been without guardrail. Four lines tell all of it.
func Harm(a canvas.Area, s recording.State, none *Comparison) {
	n, what := harmCount(s)
	tone := theme.Good
	if n > 0 {
		tone = theme.Bad
	}
	x := a.Text(0, 0, tone|theme.Bold, format.Number(n))
	x = a.Text(x+1, 0, theme.Bold, what)
	if s.Harm > 0 && n != s.Harm {
		a.Text(x, 0, theme.Muted, canvas.Truncate(fmt.Sprintf(", %s requests", format.Number(s.Harm)), a.Width()-x))
	}
	if none == nil || !s.Run.Guarded {
		drawLines(a, 1, theme.Muted, harmTimes(s))
		return
	}
	now, _ := harmCountLike(none.Now, s)
	end, _ := harmCountLike(none.End, s)
	scale := float64(max(1, n, end))
	bar := func(y int, name string, n int, s theme.Style) {
		a.Text(0, y, theme.Muted, name)
		a.Right(20, y, theme.Plain, format.Number(n))
		chart.Bar(a, 21, y, a.Width()-21, float64(n)/scale, s)
	}
	bar(1, "so far", n, tone)
	bar(2, "no guardrail", now, theme.Warn)
	a.Text(0, 3, theme.Muted, canvas.Truncate(fmt.Sprintf("%s in the end with no guardrail", format.Number(end)), a.Width()))
}

// harmCount is the number of users hurt where the log tells it so far, else of requests.
func harmCount(s recording.State) (int, string) {
	switch {
	case s.Hurt > 0 || s.Harm == 0:
		return s.Hurt, "users hurt"
	case s.Totals != nil && len(s.Totals.Hurt) > 0:
		n := 0
		for _, h := range s.Totals.Hurt {
			n += h
		}
		return n, "users hurt"
	}
	if s.Harm == 1 {
		return 1, "request made bad"
	}
	return s.Harm, "requests made bad"
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
		return []string{"the fault has hurt nobody so far"}
	}
	return []string{"since " + format.Clock(s.FirstHarm.At), "last at " + format.Clock(s.LastHarm.At)}
}

// drawLines writes texts one under another.
func drawLines(a canvas.Area, y int, s theme.Style, texts []string) {
	for i, t := range texts {
		a.Text(0, y+i, s, canvas.Truncate(t, a.Width()))
	}
}

// HarmText tells the harm so far in a few words.
func HarmText(s recording.State) string {
	n, what := harmCount(s)
	if n == s.Harm {
		return format.Number(n) + " " + what
	}
	return fmt.Sprintf("%s %s, %s requests", format.Number(n), what, format.Number(s.Harm))
}
