// Package experiment reads when an A/B test starts and ends, as the annotations of its Canary say.
package experiment

import (
	"fmt"
	"strings"
	"time"
)

// Longest is the longest window that bounds an experiment: a quarter of a year.
const Longest = 90 * 24 * time.Hour

// release is the start of an experiment that begins with the release, whatever the date.
const release = "release"

// Window returns how long an experiment lasts, or says why start and end do not bound it. Either
// may be a date or a time; an experiment that starts with the release ends after a duration. played is
// the date of the run; the zero time stands for one that is not known.
func Window(start, end string, played time.Time) (length time.Duration, problem string) {
	if first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); played.Before(first) {
		played = first // no run is older than coalmine
	}
	from, to, ok := parse(start, end, played)
	switch {
	case !ok:
		return 0, "start and end must be dates or RFC 3339 times, as in 2026-03-01 or 2026-03-01T09:00:00Z, " +
			"or start is release and end a duration, as in 8h"
	case !to.After(from):
		return 0, fmt.Sprintf("the experiment ends (%s) before it starts (%s)", end, start)
	case to.Sub(from) > Longest:
		return 0, fmt.Sprintf("the experiment lasts %d days: end it after %d days at most",
			int(to.Sub(from).Hours()/24), int(Longest.Hours()/24))
	case to.Before(played.Truncate(24 * time.Hour)):
		return 0, fmt.Sprintf("the experiment ended (%s) before the run", end)
	}
	return to.Sub(from), ""
}

func parse(start, end string, played time.Time) (from, to time.Time, ok bool) {
	withRelease := strings.TrimSpace(start) == release
	fromOK := withRelease
	if from = played; !withRelease {
		from, fromOK = parseDate(start)
	}
	if d, err := time.ParseDuration(strings.TrimSpace(end)); err == nil {
		return from, from.Add(d), fromOK
	}
	to, toOK := parseDate(end)
	return from, to, fromOK && toOK && !withRelease
}

// parseDate reads a time, or a date, which ends with its day.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
