package series

import (
	"fmt"
	"slices"

	"coalmine/lab/verdict/timeline"
)

// MarkerKind is what a marker stands for.
type MarkerKind int

// Kinds of markers.
const (
	MarkerRelease     MarkerKind = iota // the Deployment got the version
	MarkerStep                          // the canary got another share of the traffic
	MarkerFailedCheck                   // a check failed
	MarkerRefused                       // a gate refused the version before it had traffic
	MarkerHarm                          // the first user was hurt
	MarkerDetected                      // the first signal after it that a guardrail noticed
	MarkerRollback                      // all traffic back to the primary
	MarkerRemoved                       // the canary was removed
	MarkerPromoting                     // the decision to promote
	MarkerPromoted                      // everyone is on the new version
)

// Marker is a moment to mark in a chart, with a label of a word or two.
type Marker struct {
	timeline.Moment
	Kind  MarkerKind
	Label string
}

// Markers lists the moments of a run in log order.
func Markers(t *timeline.Timeline) []Marker {
	var all []Marker
	add := func(m timeline.Moment, k MarkerKind, format string, args ...any) {
		if m.Happened() {
			all = append(all, Marker{m, k, fmt.Sprintf(format, args...)})
		}
	}
	add(t.Released, MarkerRelease, "released")
	for _, s := range t.Steps {
		switch {
		case s.Moment == t.Abort || s.Moment == t.Promoted: // have their own
		case s.Matched:
			add(s.Moment, MarkerStep, "by match")
		default:
			add(s.Moment, MarkerStep, "%d %%", s.Weight)
		}
	}
	for _, c := range t.Changes {
		if c.Failed() && t.Released.Happened() && c.Seq > t.Released.Seq {
			add(c.Moment, MarkerFailedCheck, "check %d/%d", c.After.FailedChecks, c.After.Threshold)
		}
	}
	add(t.Refusal, MarkerRefused, "refused")
	add(t.FirstBad, MarkerHarm, "first harm")
	if t.FirstBad.Happened() {
		add(t.Detected, MarkerDetected, "noticed")
	}
	add(t.Abort, MarkerRollback, "rolled back")
	add(t.Removed, MarkerRemoved, "removed")
	add(t.Promoting, MarkerPromoting, "promoting")
	add(t.Promoted, MarkerPromoted, "promoted")
	slices.SortStableFunc(all, func(a, b Marker) int { return a.Seq - b.Seq })
	return all
}
