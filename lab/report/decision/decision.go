// Package decision writes the go/no-go package of a rollout from what was recorded: decision,
// criteria, results of each step, exposure, remediation, conditions of a rollback, scorecard, and the
// digests that it rests on. What only people can say is left to them.
package decision

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/report/markdown"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// placeholder marks what only people can say.
const placeholder = "_to fill_"

// Digest is the SHA-256 digest of one file that the package rests on.
type Digest struct{ File, Sum string }

// Write writes the package as Markdown.
func Write(w io.Writer, t *model.Trial, digests []Digest) error {
	p := page{trial: t}
	p.Heading(1, "Go or no-go: "+markdown.Text(t.Card.Title))
	for _, n := range t.AllNotes() {
		p.Paragraph("> Note: " + markdown.Text(n))
	}
	p.decision()
	p.objectives()
	for _, r := range p.shown() {
		p.run = r
		p.Heading(2, "Release "+markdown.Text(r.Timeline.Run.Version)+": "+markdown.Text(r.Row.Run))
		p.criteria()
		p.steps()
		p.exposure()
		p.remediation()
	}
	p.conditions()
	p.scorecard()
	p.digests(digests)
	p.Heading(2, "What is real and what is modelled")
	p.Paragraph(markdown.Text(model.Provenance(t.Card.Players)))
	return p.Flush(w)
}

type page struct {
	markdown.Page
	trial *model.Trial
	run   model.Run
}

// shown are the runs that the package details: of each release the one with most harm.
func (p *page) shown() []model.Run {
	worst := map[string]model.Run{}
	for _, r := range p.trial.Learner() {
		version := r.Timeline.Run.Version
		if w, ok := worst[version]; !ok || r.Row.Harm > w.Row.Harm {
			worst[version] = r
		}
	}
	var all []model.Run
	for _, version := range slices.Sorted(maps.Keys(worst)) {
		all = append(all, worst[version])
	}
	return all
}

// decision says for each release whether it went to everyone, and for the guardrails whether they may
// guard another.
func (p *page) decision() {
	p.Heading(2, "Decision")
	var rows [][]string
	for _, version := range p.versions() {
		runs := p.of(version)
		promoted, rolledBack, steps := 0, 0, []string(nil)
		for _, r := range runs {
			switch t := r.Timeline; {
			case t.Abort.Happened():
				rolledBack++
				steps = append(steps, fmt.Sprintf("%d %%", t.WeightAtAbort))
			case t.Promoted.Happened():
				promoted++
			}
		}
		what, why := "**undecided**", fmt.Sprintf("neither promoted nor rolled back in every one of %s",
			format.Plural(len(runs), "run"))
		switch len(runs) {
		case promoted:
			what, why = "**GO**", fmt.Sprintf("promoted to everyone in %s", format.Plural(promoted, "run"))
		case rolledBack:
			slices.Sort(steps)
			what = "**NO-GO**"
			why = fmt.Sprintf("rolled back in %s, at %s of the traffic", format.Plural(rolledBack, "run"),
				joined(slices.Compact(steps)))
		}
		rows = append(rows, []string{markdown.Text(runs[0].Timeline.Run.Service + " " + version), what,
			markdown.Text(why)})
	}
	fit := "**NO-GO**"
	switch p.trial.Card.Exit {
	case score.ExitPassed:
		fit = "**GO**"
	case score.ExitInconclusive, score.ExitLabFailed:
		fit = "**undecided**"
	}
	rows = append(rows, []string{"the guardrails, for the next release", fit,
		markdown.Text(p.trial.Card.Outcome + ": " + p.trial.Card.Reason)})
	p.Table([]string{"What", "Decision", "Because"}, rows)
	p.Table([]string{"Decided by", "Date"}, [][]string{{placeholder, placeholder}})
}

func joined(parts []string) string {
	text := ""
	for i, s := range parts {
		switch {
		case i > 0 && i == len(parts)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += s
	}
	return text
}

func (p *page) versions() []string {
	seen := map[string]bool{}
	for _, r := range p.trial.Learner() {
		seen[r.Timeline.Run.Version] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func (p *page) of(version string) []model.Run {
	return slices.DeleteFunc(p.trial.Learner(), func(r model.Run) bool { return r.Timeline.Run.Version != version })
}

func (p *page) objectives() {
	p.Heading(2, "Objectives")
	var all []string
	for _, o := range p.trial.Objectives() {
		all = append(all, markdown.Text(o))
	}
	p.List(all...)
}

// criteria are the checks that decided, with their bounds and values.
func (p *page) criteria() {
	p.Heading(3, "Criteria")
	var rows [][]string
	for _, c := range model.Checks(p.run) {
		value := format.Missing
		q := cmp.Or(c.Failure, c.Closest)
		if q != nil && q.Value != nil {
			value = format.Value(*q.Value) + " at " + format.Clock(valueAt(c))
		}
		result := "held"
		if c.Failed > 0 {
			result = fmt.Sprintf("failed %d of %d", c.Failed, c.Asked)
		}
		rows = append(rows, []string{markdown.Text(c.Name), markdown.Text(bound(q, c.Gate)), fmt.Sprint(c.Asked),
			result, markdown.Text(value)})
	}
	p.Table([]string{"Check", "Has to be", ">Asked", "Result", "Decisive value"}, orNone(rows, 5))
}

func valueAt(c model.Check) time.Duration {
	if c.Failure != nil {
		return c.First.At
	}
	return c.ClosestAt.At
}

// bound says what a check asks for.
func bound(q *event.Query, gate bool) string {
	switch {
	case gate:
		return "answered yes"
	case q == nil || q.Min == nil && q.Max == nil:
		return format.Missing
	case q.Max == nil:
		return "at least " + format.Bound(*q.Min)
	case q.Min == nil:
		return "at most " + format.Bound(*q.Max)
	}
	return format.Bound(*q.Min) + " to " + format.Bound(*q.Max)
}

func (p *page) steps() {
	p.Heading(3, "Results of each step")
	var rows [][]string
	for _, s := range model.AllStepStats(p.run) {
		rows = append(rows, []string{format.Clock(s.At), format.Clock(s.Until), weight(s.Step),
			format.Number(s.Canary.N), model.SuccessText(s.Canary), latency(s.CanaryP99),
			model.SuccessText(s.Primary), latency(s.PrimaryP99), fmt.Sprint(s.Failed)})
	}
	p.Table([]string{">From", ">Until", ">Weight", ">Canary's requests", ">Good", ">p99", ">Primary good",
		">Primary p99", ">Failed checks"}, orNone(rows, 9))
}

func weight(s timeline.Step) string {
	if s.Matched {
		return fmt.Sprintf("%d %% and a match", s.Weight)
	}
	return fmt.Sprintf("%d %%", s.Weight)
}

func latency(d time.Duration) string {
	if d == 0 {
		return format.Missing
	}
	return format.Latency(d)
}

func orNone(rows [][]string, columns int) [][]string {
	if len(rows) > 0 {
		return rows
	}
	row := make([]string, columns)
	row[0] = "none"
	return [][]string{row}
}

// exposure is who met the release, and what it cost them.
func (p *page) exposure() {
	t := p.run.Timeline
	p.Heading(3, "Exposure")
	p.Paragraph(markdown.Text(fmt.Sprintf("Before the decision the canary answered %s, %s of the service's. %s, "+
		"beyond the baseline; %s hurt.", format.Count(t.CanaryRequests, "request", "requests"),
		format.Percent(t.ActualShare()), format.Count(p.run.Row.Harm, "request was bad", "requests were bad"),
		format.Count(p.run.Row.UsersHurt, "user was", "users were"))))
	var rows [][]string
	for _, i := range p.trial.Impacts(p.run) {
		name, users := "everyone", format.Missing
		if i.Cohort != "" {
			name = markdown.Text(i.Cohort)
		}
		if i.Users > 0 {
			users = format.Number(i.Hurt) + " of " + format.Number(i.Users)
		}
		rows = append(rows, []string{name, format.Number(i.N), format.Number(i.Bad), format.Number(i.Harm), users})
	}
	p.Table([]string{"Cohort", ">Requests", ">Bad", ">Harmed", ">Users hurt"}, rows)
}

// remediation is what ended the harm, and what is left to do.
func (p *page) remediation() {
	t := p.run.Timeline
	p.Heading(3, "Remediation")
	done := "Nothing was rolled back."
	if t.Abort.Happened() {
		done = fmt.Sprintf("The guardrails rolled back %s after the release, with %d %% of the traffic on the canary.",
			format.Duration(t.Abort.Since(t.Released)), t.WeightAtAbort)
		if t.FirstBad.Happened() {
			done += fmt.Sprintf(" The first user was hurt %s before that, and the last bad answer came %s after the "+
				"first.", format.Duration(t.Abort.Since(t.FirstBad)), format.Duration(t.LastBad.Since(t.FirstBad)))
		}
	}
	p.Paragraph(markdown.Text(done))
	p.List("What is changed before the next attempt: "+placeholder, "Who repairs data or tells users: "+placeholder)
}

// conditions are the explicit conditions of a rollback, from the guardrails as they were played.
func (p *page) conditions() {
	p.Heading(2, "Conditions of a rollback")
	var all []string
	for _, r := range p.shown()[:min(1, len(p.shown()))] { // every release met the same guardrails
		threshold := 0
		for _, c := range r.Timeline.Changes {
			threshold = max(threshold, c.After.Threshold)
		}
		for _, c := range model.Checks(r) {
			q := cmp.Or(c.Failure, c.Closest)
			line := fmt.Sprintf("%s is not %s", c.Name, bound(q, c.Gate))
			if q == nil && !c.Gate {
				line = c.Name + " has no value, or is out of its range"
			}
			if c.Gate {
				line = "the gate " + c.Name + " answers no"
			}
			all = append(all, markdown.Text(line))
		}
		if threshold > 0 {
			all = append(all, fmt.Sprintf("Flagger rolls back after %s of these, counted over the whole rollout, "+
				"or when the canary's pods do not get ready before the deadline",
				format.Plural(threshold, "failed check")))
		}
	}
	p.List(append(all, "A person rolls back when: "+placeholder)...)
}

func (p *page) scorecard() {
	p.Heading(2, "Scorecard")
	var rows [][]string
	for _, m := range p.trial.Scorecard() {
		rows = append(rows, []string{markdown.Text(m.Name), markdown.Strong(markdown.Text(m.Value)),
			markdown.Text(m.Detail)})
	}
	rows = append(rows, []string{"Follow-up", placeholder, "owner: " + placeholder + ", due: " + placeholder})
	p.Table([]string{"Measure", "Value", "Rests on"}, rows)
}

func (p *page) digests(all []Digest) {
	p.Heading(2, "What it rests on")
	p.Paragraph("SHA-256 digests of the files of the run folder. `coalmine verify` plays the runs again and says " +
		"whether the logs are those that the scenario and the guardrails give.")
	var rows [][]string
	for _, d := range all {
		rows = append(rows, []string{markdown.Text(d.File), "`" + d.Sum + "`"})
	}
	p.Table([]string{"File", "SHA-256"}, rows)
}
