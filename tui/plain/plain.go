// Package plain writes what the deck shows as lines of text, for screen readers, pipes and
// terminals without cursor movement: one event after another, each with its time.
package plain

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/recording"
)

// Run writes one run of a trial.
func Run(w io.Writer, t *liverun.Trial, number int) error {
	out := &writer{w: bufio.NewWriter(w), trial: t, run: t.Runs[number]}
	out.header(number)
	if out.run.Rec != nil {
		out.narrative()
		out.end()
	}
	return out.w.Flush()
}

// writer writes the lines of one run.
type writer struct {
	w     *bufio.Writer
	trial *liverun.Trial
	run   *liverun.Run
}

func (o *writer) printf(format string, args ...any) { fmt.Fprintf(o.w, format+"\n", args...) }

func (o *writer) header(number int) {
	r := o.run
	o.printf("Run %d of %d: %s", number+1, len(o.trial.Runs), r.Title())
	if r.Rec != nil {
		if s := r.Rec.Timeline().Run; s.Service != "" {
			guard := "with guardrails"
			if !s.Guarded {
				guard = "without guardrails"
			}
			o.printf("%s %s replaces %s, %s, on cluster %s, lasting %s", s.Service, s.Version, s.Baseline, guard,
				s.Cluster, format.Duration(r.Rec.End()))
		}
	}
	if r.Problem != "" {
		o.printf("problem: %s", r.Problem)
	}
}

// narrative writes entry after entry; after decisions and harm, also the traffic at that moment.
func (o *writer) narrative() {
	for _, e := range o.run.Rec.Narrative() {
		o.printf("%s %s", format.Clock(e.At), e.Text)
		for _, q := range e.Quotes {
			o.printf("      Flagger: %s", q)
		}
		if e.Kind.Decision() || e.Kind == narrative.Harm {
			o.traffic(e.At)
		}
	}
}

// recentSpan is how far back the traffic of a moment reaches.
const recentSpan = 10 * time.Second

func (o *writer) traffic(at time.Duration) {
	rec := o.run.Rec
	s := rec.At(at)
	for _, row := range pane.Rows(rec.Recent(at, recentSpan), rec.Timeline().Keys(), s.Run.Baseline,
		s.Run.Version, false) {
		var parts []string
		for _, side := range []struct {
			version string
			recording.Sum
		}{{s.Run.Baseline, row.Old}, {s.Run.Version, row.New}} {
			if side.N > 0 {
				parts = append(parts, fmt.Sprintf("%s requests/s on %s, %s bad, p99 %s", format.Rate(side.Rate()),
					side.version,
					format.Percent(float64(side.Bad)/float64(side.N)), format.Latency(side.P99)))
			}
		}
		if len(parts) > 0 {
			o.printf("      %s: %s", row.Name, strings.Join(parts, "; "))
		}
	}
	if s.Harm > 0 {
		o.printf("      harm so far: %s", o.harm(s, at))
	}
}

func (o *writer) harm(s recording.State, at time.Duration) string {
	text := pane.HarmText(s)
	unguarded := o.trial.Counterpart(o.run, score.RoleUnguarded)
	if unguarded == nil || unguarded == o.run || unguarded.Rec == nil {
		return text
	}
	since := at - o.run.Rec.Timeline().Released.At
	return text + "; without guardrails " + pane.HarmText(unguarded.Rec.At(unguarded.Rec.Timeline().Released.At+since))
}

// end writes the total harm and the verdict.
func (o *writer) end() {
	if s := o.run.Rec.At(o.run.Rec.End()); s.Harm > 0 {
		o.printf("total harm: %s", o.harm(s, o.run.Rec.End()))
	}
	if o.trial.Card == nil {
		return
	}
	for _, r := range o.trial.Card.Runs {
		if r.Run == o.run.Name {
			o.printf("verdict: %s: %s", strings.ReplaceAll(string(r.Verdict), "-", " "), r.Reason)
		}
	}
}
