package deck

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// tabs returns the views of the deck's body.
func tabs() []string { return []string{"overview", "traffic", "charts", "checks", "narrative"} }

// recentSpan is how far back the traffic matrix reaches.
const recentSpan = 10 * time.Second

// Draw implements [screen.Screen].
func (d *Deck) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	rest, foot := rest.Bottom(1)
	f := d.frame()
	d.bar(head, f)
	d.footer(foot, f)
	if f == nil {
		d.empty(rest)
		return
	}
	body, times := rest.Bottom(2)
	pane.TimeLine(times, f.markers, f.at, f.end)
	body = d.problem(body, f)
	top, body := body.Top(5)
	d.top(top, f)
	d.body(body, f)
}

func (d *Deck) bar(a canvas.Area, f *frame) {
	left := d.trial.Scenario
	if f != nil {
		left += fmt.Sprintf(" · %s (%d of %d)", f.run.Title(), d.run+1, len(d.trial.Runs))
	}
	pane.Bar(a, left, d.playState(f))
}

// playState describes how time moves.
func (d *Deck) playState(f *frame) string {
	switch {
	case f == nil:
		return ""
	case d.AtEnd():
		return "■ ended" + d.verdict(f)
	case d.clock.live:
		return "● live"
	case !d.clock.playing:
		return "‖ paused " + d.clock.label()
	}
	return "▶ " + d.clock.label()
}

// verdict returns the card's verdict on the run.
func (d *Deck) verdict(f *frame) string {
	if d.trial.Card == nil {
		if text := d.trial.CheckText(); text != "" && !d.trial.Done {
			return " · " + text
		}
		return ""
	}
	for _, r := range d.trial.Card.Runs {
		if r.Run != f.run.Name {
			continue
		}
		symbol := "✗ "
		if r.Verdict.Good() {
			symbol = "✓ "
		}
		return " · " + symbol + strings.ReplaceAll(string(r.Verdict), "-", " ")
	}
	return ""
}

func (d *Deck) empty(a canvas.Area) {
	text := "waiting for the first event"
	if d.trial.Done {
		text = "no events were recorded"
		if d.run < len(d.trial.Runs) {
			text = cmp.Or(d.trial.Runs[d.run].Problem, text)
		}
		text = cmp.Or(d.trial.Problem, text)
	}
	for i, l := range wrap.Text(text, a.Width()-8) {
		a.Text(4, a.Height()/2+i, theme.Muted, l)
	}
}

// problem draws what is wrong with the run's log or with the trial, and returns the rest of the
// area.
func (d *Deck) problem(a canvas.Area, f *frame) canvas.Area {
	text := f.run.Problem
	if text == "" {
		text = d.trial.Problem
	}
	if text == "" {
		return a
	}
	lines := wrap.Text("✗ "+text, a.Width()-2)
	lines = lines[:min(len(lines), 3)]
	top, rest := a.Top(len(lines))
	for i, l := range lines {
		top.Text(1, i, theme.Warn, l)
	}
	return rest
}

// top draws the rollout and the harm side by side.
func (d *Deck) top(a canvas.Area, f *frame) {
	left, right := a.Left(a.Width() * 55 / 100)
	pane.Rollout(pane.Header(left, "Rollout", ""), f.state)
	pane.Harm(pane.Header(right, "Harm", ""), f.state, f.comparison)
}

func (d *Deck) body(a canvas.Area, f *frame) {
	line, rest := a.Top(1)
	d.tabLine(line)
	switch d.tab {
	case 1:
		_, below := rest.Top(d.traffic(rest, f, true) + 1)
		pane.Cohorts(pane.Header(below, "Harm by cohort", "requests so far"), f.state, f.comparison)
	case 2:
		d.charts(rest, f, charts())
	case 3:
		pane.Checks(rest.Pad(1), f.state)
	case 4:
		pane.Narrative(rest.Pad(1), f.narrative, f.at, true)
	default:
		d.overview(rest, f)
	}
}

func (d *Deck) tabLine(a canvas.Area) {
	a.Fill(0, 0, a.Width(), theme.Muted, '─')
	x := 2
	for i, name := range tabs() {
		style := theme.Muted
		if i == d.tab {
			style = theme.Bold
		}
		x = a.Text(x, 0, theme.Accent, fmt.Sprintf(" %d", i+1))
		x = a.Text(x, 0, style, " "+name+" ") + 1
	}
}

// traffic draws the matrix and returns its height.
func (d *Deck) traffic(a canvas.Area, f *frame, routes bool) int {
	keys := f.rec.Timeline().Keys()
	rows := pane.Rows(f.rec.Recent(f.at, recentSpan), keys, f.state.Run.Baseline, f.state.Run.Version, routes)
	pane.Traffic(a.Pad(1), rows, f.state.Run.Baseline, f.state.Run.Version)
	return min(a.Height(), len(rows)+1)
}

// charts stacks charts of equal height.
func (d *Deck) charts(a canvas.Area, f *frame, all []chartKind) {
	n := max(1, min(len(all), a.Height()/5))
	for i := range n {
		part := a.Sub(0, i*a.Height()/n, a.Width(), (i+1)*a.Height()/n-i*a.Height()/n)
		d.drawChart(part, f, all[(d.chart+i)%len(all)])
	}
}

// overview shows as much of everything as fits.
func (d *Deck) overview(a canvas.Area, f *frame) {
	switch {
	case a.Width() >= 160 && a.Height() >= 30:
		d.layoutLarge(a, f)
	case a.Width() >= 110 && a.Height() >= 22:
		d.layoutMedium(a, f)
	default:
		d.layoutSmall(a, f)
	}
}

// layoutSmall stacks the matrix, a chart and the latest narrative.
func (d *Deck) layoutSmall(a canvas.Area, f *frame) {
	used := d.traffic(a.Sub(0, 0, a.Width(), min(6, a.Height()-8)), f, false)
	_, a = a.Top(used)
	graph, below := a.Bottom(max(4, a.Height()*2/5))
	d.drawChart(graph, f, charts()[d.chart])
	pane.NarrativeLines(pane.Header(below, "What happened", ""), visibleEntries(f.narrative, true), f.at)
}

// layoutMedium has traffic and charts on the left, checks and narrative on the right.
func (d *Deck) layoutMedium(a canvas.Area, f *frame) {
	left, right := a.Left(a.Width() * 58 / 100)
	used := d.traffic(left.Sub(0, 0, left.Width(), left.Height()/3), f, left.Height() > 40)
	_, left = left.Top(used)
	d.charts(left, f, charts()[:max(1, min(3, left.Height()/8))])
	checks, entries := right.Top(max(5, min(right.Height()/3, len(f.state.Checks)+len(f.state.Gates)*2+3)))
	pane.Checks(pane.Header(checks, "Checks and gates", ""), f.state)
	pane.Narrative(pane.Header(entries, "What happened", ""), visibleEntries(f.narrative, false), f.at, true)
}

// layoutLarge has columns for traffic and checks, for charts, and for the narrative.
func (d *Deck) layoutLarge(a canvas.Area, f *frame) {
	left, rest := a.Left(a.Width() * 36 / 100)
	mid, right := rest.Left(rest.Width() * 58 / 100)
	used := d.traffic(left.Sub(0, 0, left.Width(), left.Height()*3/5), f, true)
	_, left = left.Top(used + 1)
	checks, left := left.Top(len(f.state.Checks) + 2*len(f.state.Gates) + 4)
	pane.Checks(pane.Header(checks, "Checks and gates", ""), f.state)
	pane.Cohorts(pane.Header(left, "Harm by cohort", "requests so far"), f.state, f.comparison)
	d.charts(mid, f, charts())
	pane.Narrative(pane.Header(right, "What happened", ""), visibleEntries(f.narrative, false), f.at, true)
}

func (d *Deck) footer(a canvas.Area, f *frame) {
	if f != nil && d.AtEnd() && d.trial.Card != nil && d.opts.Card != nil {
		pane.Footer(a, pane.Key{Key: "enter", Action: "card"}, pane.Key{Key: "tab", Action: "next run"},
			pane.Key{Key: "p", Action: "previous decision"},
			pane.Key{Key: "space", Action: "replay"})
		return
	}
	all := []pane.Key{{Key: "space", Action: "pause"}}
	if d.trial.Card != nil && d.opts.Card != nil { // the card is where a run leads to
		all = append(all, pane.Key{Key: "c", Action: "card"})
	}
	pane.Footer(a, append(all, pane.Key{Key: "n p", Action: "step"}, pane.Key{Key: "← →", Action: "seek"},
		pane.Key{Key: "+ -", Action: "speed"},
		pane.Key{Key: "u", Action: "cohort"}, pane.Key{Key: "tab", Action: "run"},
		pane.Key{Key: "v w", Action: "chart, route"}, pane.Key{Key: "m", Action: "moments"})...)
}
