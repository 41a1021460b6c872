package score

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"coalmine/lab/event"
	"coalmine/lab/guardrail/experiment"
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
	_, problem := experiment.Window(e.Start, e.End, played)
	return problem
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
