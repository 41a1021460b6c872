// Package postmortem writes the draft of a postmortem from what was recorded. It fills in the
// facts, and leaves to the team what only people can say. It names no people and no causes.
package postmortem

import (
	"fmt"
	"io"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/report/markdown"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/narrative"
)

// placeholder marks what only people can say.
const placeholder = "_to fill_"

// Write writes the draft for the run that shows most.
func Write(w io.Writer, t *model.Trial) error {
	d := draft{trial: t}
	d.Heading(1, "Postmortem: "+markdown.Text(t.Card.Title))
	d.Paragraph("Drafted from recorded events. Times are those of the run and, in brackets, since the release. " +
		"The team fills in what is marked " + placeholder + ".")
	for _, n := range t.AllNotes() {
		d.Paragraph("> Note: " + markdown.Text(n))
	}
	r, ok := t.Highlight()
	if !ok {
		d.Paragraph("No run was recorded.")
		return d.Flush(w)
	}
	d.run = r
	d.metadata()
	d.summary()
	d.impact()
	d.timeline()
	d.detection()
	d.judged()
	d.factors()
	d.actions()
	d.scorecard()
	d.others()
	d.Heading(2, "What is real and what is modelled")
	d.Paragraph(markdown.Text(model.Provenance(t.Card.Players)))
	return d.Flush(w)
}

type draft struct {
	markdown.Page
	trial *model.Trial
	run   model.Run
}

func (d *draft) metadata() {
	s := d.run.Timeline.Run
	guardrails := "manifests of the author"
	switch {
	case !s.Guarded:
		guardrails = "none"
	case d.trial.Variant != "":
		guardrails = "the scenario's own, " + d.trial.Variant
	}
	d.Heading(2, "Metadata")
	var rows [][]string
	for _, m := range [][2]string{
		{"Scenario", s.Scenario},
		{"Release", fmt.Sprintf("%s %s over %s", s.Service, s.Version, s.Baseline)},
		{"Guardrails", guardrails},
		{"Run", fmt.Sprintf("%s, one of %s", d.run.Row.Run, format.Plural(len(d.trial.Card.Runs), "run"))},
		{"Cluster", fmt.Sprintf("%s, mesh %s", s.Cluster, s.Mesh)},
		{"Outcome", d.run.Row.Verdict.Text() + ": " + d.run.Row.Reason},
	} {
		rows = append(rows, []string{m[0], markdown.Text(m[1])})
	}
	for _, people := range []string{"Date", "Authors", "Severity", "Status"} {
		rows = append(rows, []string{people, placeholder})
	}
	d.Table([]string{"", ""}, rows)
}

// when is a time of the run and, in brackets, since the release.
func (d *draft) when(at time.Duration) string {
	t := d.run.Timeline
	if !t.Released.Happened() {
		return format.Clock(at)
	}
	return format.Clock(at) + " (" + format.Offset(at-t.Released.At) + ")"
}

func (d *draft) summary() {
	t, row := d.run.Timeline, d.run.Row
	var s []string
	say := func(format string, args ...any) { s = append(s, markdown.Text(fmt.Sprintf(format, args...))) }
	if t.Released.Happened() {
		say("%s %s was released over %s at %s.", t.Run.Service, t.Run.Version, t.Run.Baseline,
			format.Clock(t.Released.At))
	} else {
		say("%s %s was never released.", t.Run.Service, t.Run.Version)
	}
	if t.FirstBad.Happened() {
		say("The first user was hurt at %s.", d.when(t.FirstBad.At))
	} else {
		say("No user was hurt by a fault of the version.")
	}
	switch {
	case t.Detected.Happened() && t.FirstBad.Happened():
		say("A guardrail noticed %s later.", format.Duration(t.Detected.Since(t.FirstBad)))
	case t.FirstBad.Happened():
		say("No guardrail noticed.")
	}
	switch {
	case t.Abort.Happened():
		say("The version was rolled back at %s with %d %% of the traffic.", d.when(t.Abort.At), t.WeightAtAbort)
	case t.Promoted.Happened():
		say("The version was promoted to everyone at %s.", d.when(t.Promoted.At))
	}
	if t.FirstBad.Happened() {
		hurt := fmt.Sprintf("%s of %s went wrong because of it", format.Plural(row.Harm, "request"),
			format.Plural(row.UsersHurt, "user"))
		if row.Unguarded != nil {
			hurt += fmt.Sprintf("; without guardrails it would have been %s", format.Number(*row.Unguarded))
		}
		say("%s.", hurt)
	}
	d.Heading(2, "Summary")
	d.Paragraph(strings.Join(s, " "))
}

func (d *draft) impact() {
	t := d.run.Timeline
	d.Heading(2, "Impact")
	if t.FirstBad.Happened() {
		d.Paragraph(fmt.Sprintf("Users were hurt from %s to %s: %s.", d.when(t.FirstBad.At), d.when(t.LastBad.At),
			format.Duration(t.LastBad.Since(t.FirstBad))))
	}
	var rows [][]string
	for _, i := range d.trial.Impacts(d.run) {
		name := "everyone"
		if i.Cohort != "" {
			name = markdown.Text(i.Cohort)
		}
		users, spent, unguarded := format.Missing, format.Missing, format.Missing
		if i.Users > 0 {
			users = format.Number(i.Hurt) + " of " + format.Number(i.Users)
		}
		if share, ok := i.Spent(); ok {
			spent = format.Percent(share)
		}
		if i.Unguarded != nil {
			unguarded = format.Number(*i.Unguarded)
		}
		rows = append(rows, []string{name, format.Number(i.N), format.Number(i.Bad), format.Number(i.Harm), users,
			spent, unguarded})
	}
	d.Table([]string{"Cohort", ">Requests", ">Bad", ">Harmed", ">Users hurt", ">Error budget spent",
		">Harmed without guardrails"}, rows)
	d.Paragraph("Counted from the release to the end of the run. Bad requests are those that users would call bad, " +
		"whatever the cause; harmed ones are bad because of the fault. The error budget is what the objectives allow " +
		"for this number of requests: " +
		"100 % is all of it.")
	var objectives []string
	for _, o := range d.trial.Objectives() {
		objectives = append(objectives, markdown.Text(o))
	}
	d.List(objectives...)
}

func (d *draft) timeline() {
	d.Heading(2, "Timeline")
	var rows [][]string
	for _, e := range narrative.Of(d.run.Timeline) {
		text := markdown.Text(e.Text)
		for _, q := range e.Quotes {
			text += "<br>Flagger: “" + markdown.Text(q) + "”"
		}
		since := format.Missing
		if m := d.run.Timeline.Released; m.Happened() {
			since = format.Offset(e.At - m.At)
		}
		rows = append(rows, []string{since, format.Clock(e.At), fmt.Sprint(e.Seq), text})
	}
	d.Table([]string{">Since release", ">Run", ">Event", "What happened"}, rows)
}

func (d *draft) detection() {
	var noticed, quiet []string
	for _, w := range model.Checks(d.run) {
		what := "metric "
		if w.Gate {
			what = "gate "
		}
		line := what + markdown.Strong(markdown.Text(w.Name)) + " " + markdown.Text(w.Text(d.run.Timeline))
		if w.Noticed() {
			noticed = append(noticed, line)
		} else {
			quiet = append(quiet, line)
		}
	}
	d.Heading(2, "Detection")
	d.Heading(3, "What noticed")
	d.List(orNone(noticed)...)
	d.Heading(3, "What did not")
	d.List(orNone(quiet)...)
	d.segments()
}

func orNone(lines []string) []string {
	if len(lines) == 0 {
		return []string{"nothing"}
	}
	return lines
}

// maxSegments is how many pairs of cohort and route are shown, the worst first.
const maxSegments = 8

func (d *draft) segments() {
	average, segments := model.Segments(d.run)
	if len(segments) == 0 {
		return
	}
	d.Heading(3, "Good answers while the canary was judged")
	row := func(cohort, route string, s model.Segment) []string {
		return []string{markdown.Text(cohort), markdown.Text(route), format.Number(s.Canary.N),
			model.SuccessText(s.Canary), model.SuccessText(s.Primary)}
	}
	rows := [][]string{row("everyone", "all", average)}
	for _, s := range segments[:min(len(segments), maxSegments)] {
		rows = append(rows, row(s.Cohort, s.Route, s))
	}
	d.Table([]string{"Cohort", "Route", ">Requests on the canary", ">Canary", ">Primary"}, rows)
}
