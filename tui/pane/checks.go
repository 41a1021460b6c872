package pane

import (
	"fmt"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
	"coalmine/tui/canvas"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Checks draws the latest values of Flagger's checks with their bounds, then gates and
// preconditions.
func Checks(a canvas.Area, s recording.State) {
	y := 0
	if len(s.Checks) == 0 {
		a.Text(0, y, theme.Muted, canvas.Truncate(noChecksText(s), a.Width()))
		y++
	}
	for _, c := range s.Checks {
		y = drawCheck(a, y, c)
	}
	for _, g := range s.Gates {
		y = drawGate(a, y, g)
	}
	for _, p := range []struct {
		name string
		mark timeline.Moment
	}{{"Server (Linkerd) applied", s.Server}, {"authorization policy applied", s.Policy}} {
		if p.mark.Happened() {
			y = drawSymbolLine(a, y, '✓', theme.Good, p.name, p.mark.At)
		}
	}
}

// noChecksText says why no metric was asked. Flagger calls the gates before it asks metrics.
func noChecksText(s recording.State) string {
	if !s.Run.Guarded {
		return "unguarded: no checks"
	}
	for _, g := range s.Gates {
		if g.Happened() && !g.Passed && g.Hook != event.HookRollback {
			return "no metric asked: gate " + g.Name + " said no"
		}
	}
	switch s.Canary.Phase {
	case event.PhaseFailed, event.PhasePromoting, event.PhaseFinalising, event.PhaseSucceeded:
		return "no metric was asked"
	}
	return "no checks yet"
}

// drawCheck draws one metric: its name, its value and its bound.
func drawCheck(a canvas.Area, y int, c recording.Check) int {
	r, style := '✓', theme.Good
	if c.Failed() {
		r, style = '✗', theme.Warn
	}
	a.Rune(0, y, style|theme.Bold, r)
	value := Value(c.Query)
	a.Right(a.Width(), y, style, value)
	a.Text(2, y, theme.Plain, canvas.Truncate(c.Metric, a.Width()-3-canvas.Width(value)))
	return y + 1
}

// Value formats the result of a query next to its bound.
func Value(q event.Query) string {
	switch {
	case q.Error != "":
		return "error"
	case q.Value == nil:
		return "no value"
	}
	return narrative.QueryValue(q)
}

func drawGate(a canvas.Area, y int, g recording.Gate) int {
	name := "gate " + g.Name
	if d := g.Drill; d != nil {
		name += fmt.Sprintf(" (%d of %d back)", d.Back, d.Probes)
	}
	if !g.Happened() {
		return drawSymbolLine(a, y, '○', theme.Muted, name, -1)
	}
	if g.Passed {
		return drawSymbolLine(a, y, '✓', theme.Good, name, g.At)
	}
	y = drawSymbolLine(a, y, '✗', theme.Warn, name+" refused", g.At)
	if g.Reason != "" {
		a.Text(2, y, theme.Muted, canvas.Truncate(g.Reason, a.Width()-2))
		y++
	}
	return y
}

// drawSymbolLine draws a symbol, a name and a time, unless the time is negative, and returns the
// next line.
func drawSymbolLine(a canvas.Area, y int, r rune, s theme.Style, name string, at time.Duration) int {
	a.Rune(0, y, s|theme.Bold, r)
	room := a.Width() - 2
	if at >= 0 {
		a.Right(a.Width(), y, theme.Muted, format.Clock(at))
		room -= 6
	}
	a.Text(2, y, theme.Plain, canvas.Truncate(name, room))
	return y + 1
}
