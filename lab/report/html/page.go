// Package html writes a trial as one page that needs nothing else: no network, no script, no other
// file. It is made for phones, paper, dark mode and screen readers.
//
// Text from manifests, tools and logs passes through html/template, which escapes it for its place.
package html

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
	"unicode"

	"coalmine/lab/format"
	"coalmine/lab/format/palette"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

//go:embed page.tmpl style.css
var files embed.FS

// Write writes the page.
func Write(w io.Writer, t *model.Trial) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	tmpl, err := template.New("page.tmpl").Funcs(template.FuncMap{
		"severity": severityClass, "glue": glue, "code": code,
		"above":  func(y number) number { return y - 4 },
		"below":  func(height int) int { return height + 4 },
		"bottom": func(height int) int { return height + 20 },
	}).ParseFS(files, "page.tmpl")
	if err != nil {
		return err
	}
	p := newPage(t)
	p.Style = template.CSS(style) // our own file
	return tmpl.Execute(w, p)
}

// glue makes one line of foreign text, in which numbers stay with their units.
func glue(s string) string { return format.Glue(format.Clean(s)) }

// code shows a line of a manifest as it is, but replaces characters that are invisible or that
// would turn the text around them.
func code(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func severityClass(t narrative.Severity) string {
	switch t {
	case narrative.Good:
		return "good"
	case narrative.Warning:
		return "warn"
	case narrative.Bad:
		return "bad"
	case narrative.Milestone:
		return "strong"
	case narrative.Detail:
		return "faint"
	}
	return "plain"
}

// page is all that the template shows.
type page struct {
	Style   template.CSS
	Title   string
	Verdict model.Verdict
	Points  string
	Meta    []pair
	Notes   []string
	Single  bool

	Run       *run // the one that shows most
	Why       []fact
	WhyTitle  string
	Harm      []bar
	HarmText  string
	HarmNotes []string
	Items     []item
	Cohorts   [][]string
	Segments  [][]string
	MeshHead  []string
	Mesh      [][]string // what it did in Run
	MeshText  string
	Files     []file
	Others    []run
	LeftOut   string // runs without a narrative
	Runs      []row
	Scorecard []model.Measure
	Played    []pair
	Real      string
	Colors    []palette.Color
}

type pair struct{ Name, Value string }

// run is the narrative of one run.
type run struct {
	ID, Name  string
	Sign      string
	Severity  narrative.Severity
	Verdict   string
	Reason    string
	Charts    []chart
	Legend    []moment
	Steps     [][]string
	Checks    []checkRow
	Narrative []entry
}

type moment struct {
	Sign, Class, At, Text, Link string
}

type checkRow struct {
	Sign     string
	Severity narrative.Severity
	Name     string
	Text     string
	Link     string
}

// fact is a line of the explanation.
type fact struct {
	Sign     string
	Severity narrative.Severity
	Text     string
	Link     string
}

type entry struct {
	ID, Since, At string
	Seq           int
	Severity      narrative.Severity
	Text          string
	Quotes        []string
}

// bar is one of the harm's bars.
type bar struct {
	Name, Class, Count, Share string
	Width                     number
}

type item struct {
	score.Item
	Sign     string
	Severity narrative.Severity
	Refs     []link
	More     int
}

type link struct{ Text, Href string }

type row struct {
	Name, Sign, Verdict, FirstBad, MTTD, MTTR, Weight, Harm, Users string
	Severity                                                       narrative.Severity
	Link                                                           string
}

// newPage puts the page together.
func newPage(t *model.Trial) *page {
	p := &page{Title: t.Card.Title, Verdict: t.Verdict(), Notes: t.AllNotes(), Single: t.Single != nil,
		Files:     manifests(t),
		Scorecard: t.Scorecard(), Real: model.Provenance(t.Card.Players), Colors: palette.All()}
	if c := t.Card; c.MaxPoints > 0 {
		p.Points = fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	p.describe(t)
	ids := p.addRuns(t)
	p.addExplanation(t.Explanation(), ids)
	p.addHarm(t)
	p.addItems(t, ids)
	return p
}

// describe says what was played, and on what.
func (p *page) describe(t *model.Trial) {
	p.Meta = append(p.Meta, pair{"scenario", t.Card.Scenario})
	if s := t.Scenario.Released(); s != nil {
		p.Meta = append(p.Meta, pair{"release", fmt.Sprintf("%s, over %s", t.Scenario.Release.Service, s.Baseline)})
	}
	if t.Variant != "" {
		p.Meta = append(p.Meta, pair{"guardrails", "the scenario's own, " + t.Variant})
	}
	p.Meta = append(p.Meta, pair{"played", format.Plural(len(t.Runs), "run")})
	s := t.Card.Players
	p.Played = append(p.Played, pair{"cluster", s.Cluster}, pair{"mesh", s.Mesh})
	for _, name := range sortedKeys(s.Versions) {
		p.Played = append(p.Played, pair{name, s.Versions[name]})
	}
	var seeds []string
	seen := map[uint64]bool{}
	for _, r := range t.Runs {
		if seed := r.Timeline.Run.Seed; !seen[seed] {
			seen[seed] = true
			seeds = append(seeds, fmt.Sprint(seed))
		}
	}
	p.Played = append(p.Played, pair{"seeds", strings.Join(seeds, ", ")})
}

// maxNarratives is how many runs have their narrative on the page. The rest is in the table and in
// the logs.
const maxNarratives = 12

// addRuns adds the runs, and returns by name of a run where on the page its events are.
func (p *page) addRuns(t *model.Trial) map[string]anchors {
	highlight, found := t.Highlight()
	ids := map[string]anchors{}
	runs := t.Learner()
	if found {
		r := newRun(highlight, 0)
		r.addCharts(highlight)
		p.Run = &r
		ids[highlight.Row.Run] = anchorsOf(r, highlight)
	}
	left := 0
	for i, r := range runs {
		if r.Row.Run == highlight.Row.Run {
			continue
		}
		if len(p.Others) == maxNarratives-1 {
			left++
			continue
		}
		x := newRun(r, i+1)
		p.Others = append(p.Others, x)
		ids[r.Row.Run] = anchorsOf(x, r)
	}
	if left > 0 {
		p.LeftOut = format.Plural(left, "more run") + " are in the table, and in their logs"
	}
	for _, r := range runs {
		p.Runs = append(p.Runs, tableRow(r, ids))
	}
	return ids
}

// addExplanation adds why the run that shows most went wrong, or what detected its fault.
func (p *page) addExplanation(e model.Explanation, ids map[string]anchors) {
	p.WhyTitle = e.Title
	for _, f := range e.Facts {
		x := fact{Sign: f.Sign(), Severity: f.Severity, Text: f.Line()}
		if a, ok := ids[e.Run]; ok && f.Event > 0 {
			x.Link, _ = a.href(f.Event)
		}
		p.Why = append(p.Why, x)
	}
}

func tableRow(r model.Run, ids map[string]anchors) row {
	sign, severity := model.Symbol(r.Row.Verdict.Exit())
	x := row{Name: r.Row.Run, Sign: sign, Severity: severity, Verdict: r.Row.Verdict.Text(),
		FirstBad: format.OptionalClock(r.Row.FirstBad),
		MTTD:     format.OptionalDuration(r.Row.MTTD), MTTR: format.OptionalDuration(r.Row.MTTR),
		Weight: format.Missing,
		Harm:   format.Number(r.Row.Harm),
		Users:  format.Number(r.Row.UsersHurt)}
	if w := r.Row.Weight; w != nil {
		x.Weight = fmt.Sprintf("%d %%", *w)
	}
	if a, ok := ids[r.Row.Run]; ok {
		x.Link = "#" + a.run
	}
	return x
}

// newRun describes a run. The number makes the ids of the page: names of runs may be anything.
func newRun(r model.Run, n int) run {
	x := run{ID: fmt.Sprintf("r%d", n), Name: r.Row.Run, Verdict: r.Row.Verdict.Text(), Reason: r.Row.Reason}
	x.Sign, x.Severity = model.Symbol(r.Row.Verdict.Exit())
	used := map[int]bool{}
	for _, e := range narrative.Of(r.Timeline) {
		y := entry{At: format.Clock(e.At), Seq: e.Seq, Severity: e.Severity, Text: e.Text, Quotes: e.Quotes,
			Since: since(r.Timeline, e.At)}
		if !used[e.Seq] {
			y.ID = fmt.Sprintf("%s-e%d", x.ID, e.Seq)
			used[e.Seq] = true
		}
		x.Narrative = append(x.Narrative, y)
	}
	return x
}

func since(t *timeline.Timeline, at time.Duration) string {
	if !t.Released.Happened() {
		return format.Missing
	}
	return format.Offset(at - t.Released.At)
}

// anchors are the places of a run's events on the page.
type anchors struct {
	run string // the run's own
	seq []int  // events that have one, ascending
	at  map[int]string
}

func anchorsOf(x run, r model.Run) anchors {
	a := anchors{run: x.ID, at: map[int]string{}}
	for _, e := range x.Narrative {
		if e.ID != "" {
			a.seq = append(a.seq, e.Seq)
			a.at[e.Seq] = e.At
		}
	}
	return a
}

// href links to an event, or to the last one on the page before it.
func (a anchors) href(seq int) (href, at string) {
	found := 0
	for _, s := range a.seq {
		if s <= seq {
			found = s
		}
	}
	if found == 0 {
		return "#" + a.run, ""
	}
	return fmt.Sprintf("#%s-e%d", a.run, found), a.at[found]
}
