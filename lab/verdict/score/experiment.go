package score

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

func (t *trial) gradeExperiment(scenario.RubricItem) grade {
	return gradeRuns(t.learner(), func(r *run) finding {
		e := r.Timeline.Experiment
		f := finding{moments: []timeline.Moment{e.Moment}}
		f.note = missingBounds(e, r.Played)
		if f.ok = f.note == ""; f.ok {
			f.note = fmt.Sprintf("owned by %s, from %s to %s", e.Owner, e.Start, e.End)
		}
		return f
	})
}

// missingBounds says what an experiment lacks, or "" if it is complete. The zero time stands for a
// run of which no date is known.
func missingBounds(e timeline.Experiment, played time.Time) string {
	facts := []struct{ name, value string }{
		{event.AnnotationOwner, e.Owner}, {event.AnnotationStart, e.Start}, {event.AnnotationEnd, e.End},
		{event.AnnotationHypothesis, e.Hypothesis},
	}
	var missing []string
	for _, f := range facts {
		if strings.TrimSpace(f.value) == "" {
			missing = append(missing, f.name)
		}
	}
	switch {
	case len(missing) > 0:
		return "the Canary has no annotation " + strings.Join(missing, ", ")
	case words(e.Owner) < 1:
		return fmt.Sprintf("%s is %q: write the name of a person or a team", event.AnnotationOwner, e.Owner)
	case words(e.Hypothesis) < 2:
		return fmt.Sprintf("%s is %q: write a sentence that can turn out wrong", event.AnnotationHypothesis,
			e.Hypothesis)
	}
	return badWindow(e, played)
}

// words counts the words of a text that have two letters or more.
func words(s string) int {
	n := 0
	for _, w := range strings.Fields(s) {
		letters := 0
		for _, r := range w {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		if letters > 1 {
			n++
		}
	}
	return n
}

// maxExperiment is the longest window that bounds an experiment: a quarter of a year.
const maxExperiment = 90 * 24 * time.Hour

// startOfRelease is the start of an experiment that begins with the release, whatever the date.
const startOfRelease = "release"

// badWindow says why start and end do not bound an experiment, or "" if they do. Either may be a
// date or a time; an experiment that starts with the release ends after a duration.
func badWindow(e timeline.Experiment, played time.Time) string {
	if first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); played.Before(first) {
		played = first // no run is older than coalmine
	}
	var start, end time.Time
	var ok1, ok2 bool
	if strings.TrimSpace(e.Start) == startOfRelease {
		start, ok1 = played, true
	} else {
		start, ok1 = parseDate(e.Start)
	}
	if d, err := time.ParseDuration(strings.TrimSpace(e.End)); err == nil {
		end, ok2 = start.Add(d), true
	} else {
		end, ok2 = parseDate(e.End)
		ok1 = ok1 && strings.TrimSpace(e.Start) != startOfRelease
	}
	switch {
	case !ok1 || !ok2:
		return "start and end must be dates or RFC 3339 times, as in 2026-03-01 or 2026-03-01T09:00:00Z, " +
			"or start is release and end a duration, as in 8h"
	case !end.After(start):
		return fmt.Sprintf("the experiment ends (%s) before it starts (%s)", e.End, e.Start)
	case end.Sub(start) > maxExperiment:
		return fmt.Sprintf("the experiment lasts %d days: end it after %d days at most",
			int(end.Sub(start).Hours()/24), int(maxExperiment.Hours()/24))
	case end.Before(played.Truncate(24 * time.Hour)):
		return fmt.Sprintf("the experiment ended (%s) before the run", e.End)
	}
	return ""
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
