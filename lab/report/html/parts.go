package html

import (
	"fmt"
	"maps"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/series"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// addCharts adds what only the run that shows most has.
func (x *run) addCharts(r model.Run) {
	a := anchorsOf(*x, r)
	x.Charts = charts(r)
	for _, m := range series.Markers(r.Timeline) {
		sign, class, ok := signOf(m.Kind)
		if !ok {
			continue
		}
		href, _ := a.href(m.Seq)
		x.Legend = append(x.Legend, moment{sign, class, format.Clock(m.At) + " (" + since(r.Timeline, m.At) + ")",
			momentText(m, r), href})
	}
	for _, s := range model.AllStepStats(r) {
		x.Steps = append(x.Steps, stepRow(s, r))
	}
	for _, w := range model.Checks(r) {
		x.Checks = append(x.Checks, checkRows(w, r, a))
	}
}

func momentText(m series.Marker, r model.Run) string {
	t := r.Timeline
	switch m.Kind {
	case series.MarkerHarm:
		return "first user hurt"
	case series.MarkerDetected:
		return "noticed, " + narrative.Noticed(t)
	case series.MarkerFailedCheck:
		return "failed " + m.Label
	case series.MarkerRefused:
		return "refused by a gate"
	case series.MarkerRollback:
		return fmt.Sprintf("rolled back with %d %% of the traffic", t.WeightAtAbort)
	case series.MarkerRemoved:
		return "the canary was removed"
	case series.MarkerPromoting:
		return "decided to promote"
	case series.MarkerPromoted:
		return "promoted to everyone"
	}
	return m.Label
}

func stepRow(s model.StepStats, r model.Run) []string {
	weight := fmt.Sprintf("%d %%", s.Weight)
	switch t := r.Timeline; {
	case s.Matched:
		weight += " by match"
	case s.Moment == t.Promoted:
		weight = "promoted"
	case s.Moment == t.Abort:
		weight = "rolled back"
	}
	p99 := func(c int, d string) string {
		if c == 0 {
			return format.Missing
		}
		return d
	}
	return []string{weight, since(r.Timeline, s.At), format.Duration(s.Until - s.At), format.Number(s.Canary.N),
		model.SuccessText(s.Canary),
		model.SuccessText(s.Primary), p99(s.Canary.N, format.Latency(s.CanaryP99)),
		p99(s.Primary.N, format.Latency(s.PrimaryP99)),
		format.Number(s.Canary.Harm + s.Primary.Harm), fmt.Sprint(s.Failed)}
}

func checkRows(w model.Check, r model.Run, a anchors) checkRow {
	x := checkRow{Name: w.Name, Text: w.Text(r.Timeline), Sign: "·", Severity: narrative.Info}
	if w.Gate {
		x.Name = "gate " + w.Name
	}
	switch {
	case w.Noticed():
		x.Sign, x.Severity = "◆", narrative.Good
		x.Link, _ = a.href(w.First.Seq)
		if !r.Faulty() {
			x.Severity = narrative.Bad
		}
	case w.Blind() && !w.Gate: // as in the explanation
		x.Sign, x.Severity = "○", narrative.Bad
		if r.Row.Verdict.Good() {
			x.Severity = narrative.Info
		}
	}
	return x
}

// addHarm compares what users got with what they would have got.
func (p *page) addHarm(t *model.Trial) {
	c := t.Card
	for _, h := range model.HarmedCohorts(c) {
		none, through, users := model.CohortText(h)
		p.Cohorts = append(p.Cohorts, []string{h.Cohort, format.Number(h.Requests), format.Number(h.Harm), none,
			through, users})
	}
	if r, ok := t.Highlight(); ok {
		p.addSegments(r)
		p.MeshHead, p.Mesh, p.MeshText = model.MeshColumns(), model.MeshTable(r.Row), model.MeshText(r.Row)
	}
	if c.Faulty.Of == 0 && c.Harm.Learner == 0 {
		return
	}
	most := max(1, c.Harm.Learner)
	if c.Harm.Unguarded != nil {
		most = max(most, *c.Harm.Unguarded)
	}
	add := func(name, class string, n *int) {
		if n == nil {
			return
		}
		b := bar{Name: name, Class: class, Count: format.Number(*n), Width: number(100 * float64(*n) / float64(most))}
		if *n > 0 {
			b.Width = max(b.Width, 0.5) // more than nothing stays visible
		}
		if none := c.Harm.Unguarded; none != nil && *none > 0 && none != n {
			b.Share = format.Percent(float64(*n) / float64(*none))
		}
		p.Harm = append(p.Harm, b)
	}
	add("unguarded", "none", c.Harm.Unguarded)
	yours := "bad"
	if c.Harm.Learner == 0 {
		yours = "good"
	}
	add("yours", yours, &c.Harm.Learner)
	add("reference", "best", c.Harm.Reference)
	add("ideal alarm", "bound", c.Harm.Bound)
	p.HarmText, p.HarmNotes = model.HarmText(c), model.CrossNotes(c)
	if cause := model.CauseText(c); cause != "" {
		p.HarmText = cause + " · " + p.HarmText
	}
}

// maxSegments is how many cohorts on routes are shown, the worst first.
const maxSegments = 10

func (p *page) addSegments(r model.Run) {
	average, segments := model.Segments(r)
	if len(segments) == 0 {
		return
	}
	add := func(cohort, route string, s model.Segment) {
		p.Segments = append(p.Segments, []string{cohort, route, format.Number(s.Canary.N), model.SuccessText(s.Canary),
			model.SuccessText(s.Primary)})
	}
	add("everyone", "all routes", average)
	for _, s := range segments[:min(len(segments), maxSegments)] {
		add(s.Cohort, s.Route, s)
	}
}

// maxLinks is how many moments an item links to.
const maxLinks = 6

func (p *page) addItems(t *model.Trial, ids map[string]anchors) {
	for _, i := range t.Card.Items {
		x := item{Item: i}
		x.Title = model.ItemTitle(i)
		x.Sign, x.Severity = model.ItemSymbol(i)
		for _, e := range i.Events {
			a, ok := ids[e.Run]
			if !ok || len(x.Refs) == maxLinks {
				x.More++
				continue
			}
			x.Refs = append(x.Refs, newLink(e, a))
		}
		p.Items = append(p.Items, x)
	}
}

func newLink(e score.EventRef, a anchors) link {
	href, at := a.href(e.Seq)
	return link{fmt.Sprintf("%s at %s", e.Run, at), href}
}

// file is a manifest with its notes, line by line.
type file struct {
	ID, Name, Broken string
	Lines            []codeLine
	Notes            int
}

type codeLine struct {
	ID    string
	No    int
	Text  string
	Class string // severity of the worst note on it, "" without
	Notes []lineNote
}

type lineNote struct {
	Severity narrative.Severity
	Sign     string
	Lines    string
	Text     string
}

// manifests are the guardrails with the lines that mattered.
func manifests(t *model.Trial) []file {
	var all []file
	for n, f := range t.Files() {
		x := file{ID: fmt.Sprintf("f%d", n+1), Name: format.Clean(f.Name), Broken: f.Broken, Notes: len(f.Notes)}
		for i, text := range f.Lines {
			x.Lines = append(x.Lines, codeLine{ID: fmt.Sprintf("%s-l%d", x.ID, i+1), No: i + 1, Text: text})
		}
		for _, note := range f.Notes {
			x.annotate(note)
		}
		all = append(all, x)
	}
	return all
}

func (x *file) annotate(n model.Note) {
	for i := n.From; i <= n.To; i++ {
		if l := &x.Lines[i-1]; l.Class == "" || severity(n.Severity) > severity(severityNamed(l.Class)) {
			l.Class = severityClass(n.Severity)
		}
	}
	lines := fmt.Sprintf("line %d", n.From)
	if n.To > n.From {
		lines = fmt.Sprintf("lines %d to %d", n.From, n.To)
	}
	last := &x.Lines[n.To-1]
	last.Notes = append(last.Notes, lineNote{n.Severity, noteSign(n.Severity), lines, n.Text})
}

func severity(t narrative.Severity) int {
	switch t {
	case narrative.Bad:
		return 3
	case narrative.Warning:
		return 2
	case narrative.Good:
		return 1
	}
	return 0
}

func severityNamed(class string) narrative.Severity {
	for _, t := range []narrative.Severity{narrative.Good, narrative.Warning, narrative.Bad} {
		if severityClass(t) == class {
			return t
		}
	}
	return narrative.Info
}

func noteSign(t narrative.Severity) string {
	switch t {
	case narrative.Good:
		return "◆"
	case narrative.Warning:
		return "!"
	case narrative.Bad:
		return "✗"
	}
	return "·"
}
