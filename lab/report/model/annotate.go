package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/series"
)

// File is one manifest of the guardrails, with notes on the lines that mattered.
type File struct {
	Name  string
	Lines []string
	Notes []Note
	// Broken says why the rest of the file has no notes, or what was left out of it; "" if nothing
	// was.
	Broken string
}

// Note says what lines of a manifest did in the run that shows most.
type Note struct {
	// From and To are line numbers, counted from 1.
	From, To int
	Severity narrative.Severity
	Text     string
	// Seq is the event that it rests on, 0 for none.
	Seq int
}

// Files returns the guardrails with their notes, by name.
func (t *Trial) Files() []File {
	names := slices.Sorted(maps.Keys(t.Guardrails))
	files := make([]File, len(names))
	parsed := make([][]object, len(names))
	for i, name := range names {
		f := File{Name: name, Lines: textLines(t.Guardrails[name])}
		if len(f.Lines) > maxLines {
			f.Lines, f.Broken = f.Lines[:maxLines], fmt.Sprintf("only the first %d lines are shown", maxLines)
		}
		var err error
		if parsed[i], err = objects(t.Guardrails[name]); err != nil {
			f.Broken = format.Clean(err.Error())
		}
		files[i] = f
	}
	r, ok := t.Highlight()
	if !ok {
		return files
	}
	m := annotator{trial: t, run: r, checks: Checks(r), objectives: t.leastSuccess(), all: slices.Concat(parsed...)}
	for i := range files {
		m.notes = nil
		for _, o := range parsed[i] {
			m.annotate(o)
		}
		files[i].Notes = m.sorted(len(files[i].Lines))
	}
	return files
}

func textLines(data []byte) []string {
	text := strings.TrimSuffix(strings.ReplaceAll(strings.ToValidUTF8(string(data), "�"), "\r\n", "\n"), "\n")
	return strings.Split(text, "\n")
}

// leastSuccess is the lowest success objective in percent, 0 for none.
func (t *Trial) leastSuccess() float64 {
	least := 0.0
	for _, o := range t.Scenario.Objectives {
		if least == 0 || o.Success < least {
			least = o.Success
		}
	}
	return least
}

// annotator writes notes on one file.
type annotator struct {
	trial      *Trial
	run        Run
	checks     []Check
	objectives float64
	all        []object // of all files
	notes      []Note   // of the current file
}

func (m *annotator) note(f field, severity narrative.Severity, seq int, layout string, args ...any) {
	from, to := f.lines()
	m.notes = append(m.notes, Note{From: from, To: to, Severity: severity,
		Text: format.Clean(fmt.Sprintf(layout, args...)), Seq: seq})
}

// sorted sorts the notes by line, and drops those outside the file.
func (m *annotator) sorted(lines int) []Note {
	notes := slices.DeleteFunc(m.notes, func(n Note) bool { return n.From < 1 || n.From > lines })
	for i := range notes {
		notes[i].To = min(max(notes[i].From, notes[i].To), lines)
	}
	slices.SortStableFunc(notes, func(a, b Note) int { return cmp.Compare(a.From, b.From) })
	return notes
}

func (m *annotator) annotate(o object) {
	switch {
	case m.isReleasedCanary(o):
		m.annotateInterval(o)
		m.annotateSteps(o)
		m.annotateMetrics(o)
		m.annotateWebhooks(o)
		m.annotateLostPoints(o)
	case o.text("kind") == "MetricTemplate":
		m.annotateTemplate(o)
	}
}

// isReleasedCanary reports whether an object is the Canary of the released service.
func (m *annotator) isReleasedCanary(o object) bool {
	return o.text("kind") == "Canary" && o.text("metadata", "name") == m.run.Timeline.Canary
}

// annotateInterval says how often Flagger checked, and how many failures it allows.
func (m *annotator) annotateInterval(o object) {
	t := m.run.Timeline
	if f, ok := o.at("spec", "analysis", "interval"); ok && t.FirstBad.Happened() {
		text := fmt.Sprintf("one tick every %s: %s while users were hurt and before the decision", f.Value.Value,
			format.Plural(m.ticks(), "tick"))
		if t.Detected.Happened() {
			text += fmt.Sprintf("; noticed after %s", format.Duration(t.Detected.Since(t.FirstBad)))
		}
		m.note(f, narrative.Info, 0, "%s", text)
	}
	if f, ok := o.at("spec", "analysis", "threshold"); ok {
		failed := 0
		for _, c := range t.Changes {
			failed = max(failed, c.After.FailedChecks)
		}
		severity := narrative.Info
		text := fmt.Sprintf("%s failed checks end the rollout: %s failed", f.Value.Value, orNone(failed))
		if t.Abort.Happened() && failed > 0 {
			text += fmt.Sprintf(", and it was rolled back at %s", format.Clock(t.Abort.At))
		} else if failed == 0 && m.run.Faulty() && t.FirstBad.Happened() {
			severity = narrative.Warning
		}
		m.note(f, severity, t.Abort.Seq, "%s", text)
	}
	if f, ok := o.at("spec", "skipAnalysis"); ok && f.Value.Value == "true" {
		m.note(f, narrative.Bad, 0, "Flagger promotes without any analysis")
	}
}

func orNone(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// ticks counts the ticks of Flagger's control loop between the first harm and the decision.
func (m *annotator) ticks() int {
	t := m.run.Timeline
	n, last := 0, time.Duration(-1)
	for _, e := range t.Facts {
		q, ok := e.Fact.(event.Query)
		if !ok || q.Asker != t.Canary || e.Seq < t.FirstBad.Seq || e.At-last < time.Second && last >= 0 {
			continue
		}
		last = e.At
		n++
	}
	return n
}

// annotateSteps says when the version had how much of the traffic.
func (m *annotator) annotateSteps(o object) {
	t := m.run.Timeline
	var at []string
	for i, s := range t.Steps {
		if w := t.Exposure(i); w > 0 && !(t.Promoted.Happened() && s.Seq >= t.Promoted.Seq) {
			at = append(at, fmt.Sprintf("%d %% at %s", w, format.Clock(s.At)))
		}
	}
	text := strings.Join(at, ", ")
	if t.FirstBad.Happened() {
		text += fmt.Sprintf("; users were hurt from %s on", format.Clock(t.FirstBad.At))
	}
	for _, name := range []string{"stepWeights", "stepWeight", "iterations"} {
		if f, ok := o.at("spec", "analysis", name); ok && text != "" && (len(at) > 0 || name == "iterations") {
			m.note(f, narrative.Info, t.FirstBad.Seq, "%s", strings.TrimPrefix(text, "; "))
			return
		}
	}
}

func (m *annotator) check(gate bool, name, address string) (Check, bool) {
	i := slices.IndexFunc(m.checks, func(w Check) bool {
		return w.Gate == gate && w.Name == name && (address == "" || w.URL == address)
	})
	if i < 0 {
		return Check{}, false
	}
	return m.checks[i], true
}

// severity of a check: on a faulty release it is good to have noticed and bad to have passed; on a
// healthy one a failure is a false alarm.
func (m *annotator) severity(w Check) narrative.Severity {
	switch {
	case m.run.Faulty() && w.Noticed():
		return narrative.Good
	case w.Noticed() || w.Failed > 0:
		return narrative.Bad
	case w.Blind() && !m.run.Row.Verdict.Good():
		return narrative.Bad
	}
	return narrative.Info
}

func (m *annotator) annotateMetrics(o object) {
	for _, f := range o.items("spec", "analysis", "metrics") {
		item := object{f.Value}
		w, ok := m.check(false, item.text("name"), "")
		if !ok {
			m.note(f, narrative.Warning, 0, "not evaluated in this run")
			continue
		}
		text := w.Text(m.run.Timeline)
		if least, asked := m.weakBound(w.Name); asked {
			text += fmt.Sprintf("; its bound is %g %%, the objective is %g %%", least, m.objectives)
		}
		m.note(f, m.severity(w), w.First.Seq, "%s", text)
	}
}

// weakBound returns a metric's bound if it asks for less success than the scenario's objectives.
func (m *annotator) weakBound(metric string) (least float64, less bool) {
	for _, l := range series.Lines(m.run.Timeline) {
		if l.Metric == metric && l.Unit == series.Success && l.Min != nil && *l.Min < m.objectives {
			return *l.Min, true
		}
	}
	return 0, false
}

// annotateTemplate says which checks made a query, and what came of it.
func (m *annotator) annotateTemplate(o object) {
	f, ok := o.at("spec", "query")
	if !ok {
		return
	}
	name := o.text("metadata", "name")
	for _, metric := range m.metricsOf(name) {
		if w, ok := m.check(false, metric, ""); ok {
			as := ""
			if metric != name {
				as = "as " + metric + ": "
			}
			m.note(f, m.severity(w), w.First.Seq, "%s%s", as, w.Text(m.run.Timeline))
		}
	}
}

// metricsOf lists the checks of the run's Canary that use a template.
func (m *annotator) metricsOf(template string) []string {
	var names []string
	for _, o := range m.all {
		if !m.isReleasedCanary(o) {
			continue
		}
		for _, f := range o.items("spec", "analysis", "metrics") {
			if item := (object{f.Value}); item.text("templateRef", "name") == template {
				names = append(names, item.text("name"))
			}
		}
	}
	return names
}
