package pane

import (
	"fmt"

	"coalmine/lab/event"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Rollout draws the progress of the new version: the phase in words, its share of the traffic, the
// steps, and the failed checks against the threshold. It needs four lines.
func Rollout(a canvas.Area, s recording.State) {
	text, style := phaseText(s)
	a.Text(0, 0, style|theme.Bold, canvas.Truncate(text, a.Width()))
	exposure(a, 1, s)
	failures(a, 2, s)
	steps(a, 3, s)
}

// phaseText describes the phase of the rollout.
func phaseText(s recording.State) (string, theme.Style) {
	v := s.Run.Version
	switch {
	case s.Run.Service == "":
		return "no event yet", theme.Muted
	case !s.Run.Guarded && s.Released.Happened():
		return v + " receives all traffic at once", theme.Warn
	case !s.Run.Guarded:
		return "unguarded; " + v + " is not released yet", theme.Muted
	case !s.CanaryMark.Happened():
		return "no canary yet", theme.Muted
	}
	switch s.Canary.Phase {
	case event.PhaseInitializing:
		return "Flagger is initializing the primary", theme.Muted
	case event.PhaseInitialized:
		if s.Released.Happened() {
			return v + " released, not yet detected by Flagger", theme.Muted
		}
		return "initialized: all traffic on " + s.Run.Baseline, theme.Muted
	case event.PhaseProgressing:
		return progressingText(s)
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		return fmt.Sprintf("waiting for a gate, with %s at %d %%", v, s.Share), theme.Warn
	case event.PhasePromoting:
		return "promoting: updating the primary to " + v, theme.Plain
	case event.PhaseFinalising:
		return "finalising: all traffic moves to the primary", theme.Plain
	case event.PhaseSucceeded:
		return "promoted: all traffic on " + v, theme.Plain
	case event.PhaseFailed:
		return "rolled back: all traffic on " + s.Run.Baseline, theme.Good
	}
	return s.Canary.Phase, theme.Plain
}

func progressingText(s recording.State) (string, theme.Style) {
	c := s.Canary
	switch v := s.Run.Version; {
	case c.MaxIterations > 0 && c.Iterations > c.MaxIterations:
		return fmt.Sprintf("iterations over: %s at %d %%", v, s.Share), theme.Canary
	case c.MaxIterations > 0 && c.Iterations > 0:
		return fmt.Sprintf("analysing %s: iteration %d of %d", v, c.Iterations, c.MaxIterations), theme.Canary
	case s.Share > 0:
		return fmt.Sprintf("analysing %s at %d %%", v, s.Share), theme.Canary
	case s.Canaries.Ready < s.Canaries.Desired || s.Canaries.Desired == 0:
		return fmt.Sprintf("starting %s: %d of %d pods ready", v, s.Canaries.Ready, s.Canaries.Desired), theme.Canary
	default:
		return v + " is ready; no traffic yet", theme.Canary
	}
}

// exposure draws the new version's share of the traffic, and the rule that routes some users to it.
func exposure(a canvas.Area, y int, s recording.State) {
	x := a.Text(0, y, theme.Muted, "on "+s.Run.Version+" ")
	a.Right(x+9, y, theme.Bold, fmt.Sprintf("%d %% ", s.Share))
	x += 9
	if s.Match == "" {
		chart.Bar(a, x, y, a.Width()-x, float64(s.Share)/100, theme.Canary)
		return
	}
	const bar = 10
	chart.Bar(a, x, y, bar, float64(s.Share)/100, theme.Canary)
	a.Text(x+bar+1, y, theme.Canary, canvas.Truncate("by "+s.Match, a.Width()-x-bar-1))
}

// failures draws a box for each check that may fail before Flagger rolls back.
func failures(a canvas.Area, y int, s recording.State) {
	c, text := s.Canary, " before rollback"
	if c.Phase == event.PhaseFailed && s.FailedAtRollback > 0 {
		c.FailedChecks, text = s.FailedAtRollback, ": rolled back"
	}
	switch {
	case !s.Run.Guarded:
		a.Text(0, y, theme.Muted, "no checks")
		return
	case c.Threshold == 0 && c.FailedChecks == 0:
		a.Text(0, y, theme.Muted, "no failed checks")
		return
	}
	const most = 10
	x := a.Text(0, y, theme.Muted, "failed checks ")
	if c.Threshold <= most {
		for i := range c.Threshold {
			if i < c.FailedChecks {
				x = a.Rune(x, y, theme.Warn, '■')
			} else {
				x = a.Rune(x, y, theme.Muted, '□')
			}
		}
		x++
	}
	style := theme.Plain
	if c.FailedChecks > 0 {
		style = theme.Warn | theme.Bold
	}
	x = a.Text(x, y, style, fmt.Sprintf("%d of %d", c.FailedChecks, c.Threshold))
	a.Text(x, y, theme.Muted, canvas.Truncate(text, a.Width()-x))
}

// steps draws the shares so far, the newest at the right end if they do not all fit.
func steps(a canvas.Area, y int, s recording.State) {
	var marks []string
	last := ""
	for _, x := range s.Shares {
		word := fmt.Sprintf("%d %%", x.Percent)
		if x.Percent == 0 && !x.Matched && len(marks) > 0 {
			word = "back to 0 %"
		}
		if word != last {
			marks, last = append(marks, word), word
		}
	}
	if len(marks) == 0 {
		a.Text(0, y, theme.Muted, "steps: none yet")
		return
	}
	const arrow = " → "
	room := a.Width() - len("steps ")
	from, used := len(marks)-1, canvas.Width(marks[len(marks)-1])
	for from > 0 && used+3+canvas.Width(marks[from-1]) <= room-2 {
		from--
		used += 3 + canvas.Width(marks[from])
	}
	x := a.Text(0, y, theme.Muted, "steps ")
	if from > 0 {
		x = a.Text(x, y, theme.Muted, "… ")
	}
	for i, m := range marks[from:] {
		if i > 0 {
			x = a.Text(x, y, theme.Muted, arrow)
		}
		style := theme.Plain
		if from+i == len(marks)-1 {
			style = theme.Bold
		}
		x = a.Text(x, y, style, m)
	}
}
