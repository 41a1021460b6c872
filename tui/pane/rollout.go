package pane

import (
	"fmt"

	"coalmine/lab/event"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Rollout draws how far the new version has come: the phase in words, the share of the traffic, the steps, and the failed
// checks against the threshold. Four lines tell all of it.
func Rollout(a canvas.Area, s recording.State) {
	words, tone := phaseText(s)
	a.Text(0, 0, tone|theme.Bold, canvas.Truncate(words, a.Width()))
	exposure(a, 1, s)
	failures(a, 2, s)
	steps(a, 3, s)
}

// phaseText tells what the rollout is doing.
func phaseText(s recording.State) (string, theme.Style) {
	v := s.Run.Version
	switch {
	case s.Run.Service == "":
		return "no event yet", theme.Muted
	case !s.Run.Guarded && s.Released.Happened():
		return v + " went to everyone at once", theme.Warn
	case !s.Run.Guarded:
		return "no guardrail; " + v + " is not released yet", theme.Muted
	case !s.CanaryMark.Happened():
		return "no canary yet", theme.Muted
	}
	switch s.Canary.Phase {
	case event.PhaseInitializing:
		return "Flagger sets up the primary", theme.Muted
	case event.PhaseInitialized:
		if s.Released.Happened() {
			return v + " is released; Flagger has not noticed yet", theme.Muted
		}
		return "ready: everyone is on " + s.Run.Baseline, theme.Muted
	case event.PhaseProgressing:
		return progressingText(s)
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		return "waits for a gate before it goes on", theme.Warn
	case event.PhasePromoting:
		return "promoting: the primary gets " + v, theme.Info
	case event.PhaseFinalising:
		return "finalising: everyone goes to the new primary", theme.Info
	case event.PhaseSucceeded:
		return "promoted: everyone is on " + v, theme.Info
	case event.PhaseFailed:
		return "rolled back: everyone is on " + s.Run.Baseline, theme.Good
	}
	return s.Canary.Phase, theme.Plain
}

func progressingText(s recording.State) (string, theme.Style) {
	switch v := s.Run.Version; {
	case s.Canary.MaxIterations > 0 && s.Canary.Iterations > 0:
		return fmt.Sprintf("analysing %s: iteration %d of %d", v, s.Canary.Iterations, s.Canary.MaxIterations), theme.Canary
	case s.Canary.Weight > 0:
		return fmt.Sprintf("analysing %s at %d %%", v, s.Canary.Weight), theme.Canary
	case s.Canaries.Ready < s.Canaries.Desired || s.Canaries.Desired == 0:
		return fmt.Sprintf("starting %s: %d of %d pods ready", v, s.Canaries.Ready, s.Canaries.Desired), theme.Canary
	default:
		return v + " runs; no traffic for it yet", theme.Canary
	}
}

// exposure draws the new version's share of the traffic.
func exposure(a canvas.Area, y int, s recording.State) {
	share := s.Canary.Weight
	switch {
	case !s.Run.Guarded && s.Released.Happened(), s.Canary.Phase == event.PhaseSucceeded && s.Released.Happened(), s.Canary.Phase == event.PhaseFinalising:
		share = 100
	case s.Canary.Phase == event.PhaseFailed:
		share = 0
	}
	label := fmt.Sprintf("%d %% ", share)
	if share == 0 && s.Match != "" {
		label = "by match "
	}
	x := a.Text(0, y, theme.Muted, "on "+s.Run.Version+" ")
	a.Right(x+9, y, theme.Bold, label)
	chart.Bar(a, x+9, y, a.Width()-x-9, float64(share)/100, theme.Canary)
	if share == 0 && s.Match != "" {
		a.Text(x+9, y, theme.Canary, canvas.Truncate(s.Match, a.Width()-x-9))
	}
}

// failures draws a box for each check that may fail before Flagger rolls back.
func failures(a canvas.Area, y int, s recording.State) {
	c, words := s.Canary, " roll it back"
	if c.Phase == event.PhaseFailed && s.FailedAtRollback > 0 {
		c.FailedChecks, words = s.FailedAtRollback, " rolled it back"
	}
	switch {
	case !s.Run.Guarded:
		a.Text(0, y, theme.Muted, "no checks")
		return
	case c.Threshold == 0 && c.FailedChecks == 0:
		a.Text(0, y, theme.Muted, "no failed check")
		return
	}
	const most = 10
	x := a.Text(0, y, theme.Muted, "failed checks ")
	if c.Threshold <= most {
		for i := range c.Threshold {
			if i < c.FailedChecks {
				x = a.Rune(x, y, theme.Bad, '■')
			} else {
				x = a.Rune(x, y, theme.Muted, '□')
			}
		}
		x++
	}
	tone := theme.Plain
	if c.FailedChecks > 0 {
		tone = theme.Warn | theme.Bold
	}
	x = a.Text(x, y, tone, fmt.Sprintf("%d of %d", c.FailedChecks, c.Threshold))
	a.Text(x, y, theme.Muted, canvas.Truncate(words, a.Width()-x))
}

// steps draws the exposures so far, the newest at the right end where they do not all fit.
func steps(a canvas.Area, y int, s recording.State) {
	var marks []string
	last := ""
	for _, e := range s.Exposures {
		word := stepText(e)
		if word != "" && word != last {
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
		tone := theme.Plain
		if from+i == len(marks)-1 {
			tone = theme.Bold
		}
		x = a.Text(x, y, tone, m)
	}
}

func stepText(e recording.Exposure) string {
	switch {
	case e.Phase == event.PhaseFailed:
		return "back to 0 %"
	case e.Phase == event.PhaseSucceeded || e.Phase == event.PhaseFinalising:
		return "100 %"
	case e.Weight > 0:
		return fmt.Sprintf("%d %%", e.Weight)
	case e.Iterations > 0:
		return fmt.Sprintf("iteration %d", e.Iterations)
	}
	return ""
}
