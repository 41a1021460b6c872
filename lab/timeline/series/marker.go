package series

import (
	"fmt"
	"slices"

	"coalmine/lab/timeline"
)

// MarkerKind says what a marker stands for.
type MarkerKind int

// Kinds of markers.
const (
	MarkRelease   MarkerKind = iota // the version was given to its Deployment
	MarkStep                        // the canary got another share of the traffic
	MarkFailed                      // a check failed
	MarkRefused                     // a gate refused the version before it had traffic
	MarkHarm                        // the first user was hurt
	MarkNoticed                     // the first sign after it that a guardrail noticed
	MarkRollback                    // all traffic back to the primary
	MarkRemoved                     // the canary was taken away
	MarkPromoting                   // the decision to promote
	MarkPromoted                    // everyone is on the new version
)

// Marker is a moment worth a mark in a chart, with a label of a word or two.
type Marker struct {
	timeline.Mark
	Kind  MarkerKind
	Label string
}

// Markers lists the moments of a run in log order.
func Markers(t *timeline.Timeline) []Marker {
	var all []Marker
	add := func(m timeline.Mark, k MarkerKind, format string, args ...any) {
		if m.Seen() {
			all = append(all, Marker{m, k, fmt.Sprintf(format, args...)})
		}
	}
	add(t.Released, MarkRelease, "released")
	for _, s := range t.Steps {
		switch {
		case s.Mark == t.Abort || s.Mark == t.Promoted: // have their own
		case s.Matched:
			add(s.Mark, MarkStep, "by match")
		default:
			add(s.Mark, MarkStep, "%d %%", s.Weight)
		}
	}
	for _, c := range t.Changes {
		if c.Failed() && t.Released.Seen() && c.Seq > t.Released.Seq {
			add(c.Mark, MarkFailed, "check %d/%d", c.After.FailedChecks, c.After.Threshold)
		}
	}
	add(t.Refusal, MarkRefused, "refused")
	add(t.FirstBad, MarkHarm, "first harm")
	if t.FirstBad.Seen() {
		add(t.Detected, MarkNoticed, "noticed")
	}
	add(t.Abort, MarkRollback, "rolled back")
	add(t.Removed, MarkRemoved, "taken away")
	add(t.Promoting, MarkPromoting, "promoting")
	add(t.Promoted, MarkPromoted, "promoted")
	slices.SortStableFunc(all, func(a, b Marker) int { return a.Seq - b.Seq })
	return all
}
