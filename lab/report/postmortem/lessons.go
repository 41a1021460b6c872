package postmortem

import (
	"fmt"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/report/markdown"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/timeline"
)

// judged says what worked and what did not, by the points of the scenario and by what the run
// shows.
func (d *draft) judged() {
	var worked, failed []string
	for _, i := range d.trial.Card.Items {
		line := markdown.Text(i.Title) + ": " + markdown.Text(i.Reason) +
			fmt.Sprintf(" (%d of %d points)", i.Points, i.Max)
		if i.Points >= i.Max {
			worked = append(worked, line)
		} else {
			failed = append(failed, line)
		}
	}
	t := d.run.Timeline
	if t.Abort.Happened() && d.run.Faulty() && t.FirstBad.Happened() {
		worked = append(worked, fmt.Sprintf("The rollback ended the harm %s after the decision",
			format.Duration(max(0, t.LastBad.At-t.Abort.At))))
	}
	if t.Promoting.Happened() && d.run.Faulty() {
		failed = append(failed, "The version was promoted while it hurt users")
	}
	d.Heading(2, "What worked")
	d.List(orNone(worked)...)
	d.Heading(2, "What did not work")
	d.List(orNone(failed)...)
}

// factors are facts that may have contributed. The causes are for the team to name.
func (d *draft) factors() {
	t := d.run.Timeline
	var facts []string
	if s := d.trial.Scenario.Released(); s != nil && s.Versions[t.Run.Version].Notes != "" {
		facts = append(facts, "What "+markdown.Text(t.Run.Version)+" changed: "+
			markdown.Text(s.Versions[t.Run.Version].Notes))
	}
	if f, ok := d.exposure(); ok {
		facts = append(facts, f)
	}
	if average, segments := model.Segments(d.run); len(segments) > 0 && t.FirstBad.Happened() {
		s := segments[0]
		facts = append(facts, fmt.Sprintf("The worst segment was cohort %s on route %s with %s good answers on the "+
			"canary, while all of the canary's answers were %s good; it was %s of the canary's requests",
			markdown.Text(s.Cohort), markdown.Text(s.Route), model.SuccessText(s.Canary),
			model.SuccessText(average.Canary),
			format.Percent(float64(s.Canary.N)/float64(max(1, average.Canary.N)))))
	}
	for _, w := range model.Checks(d.run) {
		if w.Blind() && !w.Gate || !d.run.Faulty() && w.Failed > 0 {
			facts = append(facts, markdown.Strong(markdown.Text(w.Name))+" "+markdown.Text(w.Text(t)))
		}
	}
	for _, w := range t.Waits {
		until := "the end of the run"
		if w.Until.Happened() {
			until = format.Clock(w.Until.At)
		}
		facts = append(facts, markdown.Text(fmt.Sprintf("From %s to %s: %s", format.Clock(w.From.At), until, w.Why)))
	}
	d.Heading(2, "Contributing factors")
	d.Paragraph("Facts of the run, in no order of weight.")
	d.List(append(facts, "Cause, and why it was not found before the release: "+placeholder)...)
}

// exposure says how much of the traffic the version had while users were hurt.
func (d *draft) exposure() (string, bool) {
	t := d.run.Timeline
	if !t.FirstBad.Happened() {
		return "", false
	}
	var at []string
	stretches := model.AllStepStats(d.run)
	for i := 0; i < len(stretches); i++ {
		x := stretches[i]
		for i+1 < len(stretches) && stretches[i+1].Weight == x.Weight && stretches[i+1].Matched == x.Matched {
			i++
			x.Until = stretches[i].Until // promotion at full weight is no step for users
		}
		if x.Weight > 0 && x.Until > t.FirstBad.At && x.At < t.LastBad.At {
			at = append(at, fmt.Sprintf("%d %% for %s", x.Weight,
				format.Duration(min(x.Until, t.LastBad.At)-max(x.At, t.FirstBad.At))))
		}
	}
	return "While users were hurt the version had " + strings.Join(at, ", then ") + " of the traffic", len(at) > 0
}

func (d *draft) actions() {
	d.Heading(2, "Actions")
	var rows [][]string
	for _, kind := range []string{"detect sooner", "limit the harm", "prevent"} {
		rows = append(rows, []string{kind, placeholder, placeholder, placeholder})
	}
	d.Table([]string{"To", "Action", "Owner", "Due"}, rows)
	var hints []string
	for _, i := range d.trial.Card.Items {
		if i.Hint != "" {
			hints = append(hints, markdown.Text(i.Title)+": "+markdown.Text(i.Hint))
		}
	}
	if len(hints) > 0 {
		d.Paragraph("<details><summary>Suggestions of the scenario for the points that were lost</summary>")
		d.List(hints...)
		d.Paragraph("</details>")
	}
}

func (d *draft) scorecard() {
	d.Heading(2, "Scorecard")
	var rows [][]string
	for _, m := range d.trial.Scorecard() {
		rows = append(rows, []string{m.Name, markdown.Strong(markdown.Text(m.Value)), markdown.Text(m.Detail),
			markdown.Text(m.Meaning)})
	}
	rows = append(rows, []string{"Follow-up action", placeholder, "owner: " + placeholder + ", due: " + placeholder,
		"what is done next, by whom and until when"})
	d.Table([]string{"Measure", "Value", "Rests on", "Meaning"}, rows)
}

// others lists the rest of the trial: one run may be luck.
func (d *draft) others() {
	runs := d.trial.Learner()
	if len(runs) < 2 {
		return
	}
	d.Heading(2, "The other runs of the trial")
	var rows [][]string
	for _, r := range runs {
		if r.Row.Run == d.run.Row.Run {
			continue
		}
		rows = append(rows, []string{markdown.Text(r.Row.Run), r.Row.Verdict.Text(), sinceFirst(r.Timeline),
			format.OptionalDuration(r.Row.MTTD),
			format.OptionalDuration(r.Row.MTTR), format.Number(r.Row.Harm), format.Number(r.Row.UsersHurt)})
	}
	d.Table([]string{"Run", "Verdict", ">First bad after release", ">MTTD", ">MTTR", ">Harmed", ">Users hurt"}, rows)
}

func sinceFirst(t *timeline.Timeline) string {
	if !t.FirstBad.Happened() || !t.Released.Happened() {
		return format.Missing
	}
	return format.Offset(t.FirstBad.At - t.Released.At)
}
