package deck

import (
	"math"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/series"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/pane"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// chartKind is one of the charts that the deck can draw.
type chartKind struct {
	name  string
	value func(series.Point) float64
	// unit selects the guardrails' metrics whose bounds belong in the chart.
	unit series.Unit
	// harm compares the run with the unguarded one, instead of canary with primary.
	harm               bool
	low, high, ceiling float64
	label              func(float64) string
}

func charts() []chartKind {
	number := func(v float64) string { return format.Number(int(math.Round(v))) }
	return []chartKind{
		{name: "good, %", value: func(p series.Point) float64 {
			return 100 * p.Good()
		}, unit: series.Success, low: 98, high: 100, ceiling: 100, label: format.Value},
		{name: "p99, ms", value: p99, unit: series.Latency, high: 10, label: number},
		{name: "requests/s", value: rate, unit: series.Other, high: 1, label: number},
		{name: "harm so far, requests", harm: true, value: func(p series.Point) float64 {
			return float64(p.HarmSoFar)
		}, unit: series.Other, high: 10, label: number},
	}
}

func p99(p series.Point) float64 {
	if p.N == 0 {
		return math.NaN()
	}
	return float64(p.P99) / float64(time.Millisecond)
}

func rate(p series.Point) float64 {
	if p.N == 0 {
		return math.NaN()
	}
	return p.Rate()
}

// axis is the width of the charts' labels.
const axis = 7

// window returns the time range that charts show: from shortly before the release to a round time
// after the present, so that the curve fills it and the axis rarely moves.
func window(f *frame) (from, to time.Duration) {
	if r := f.state.Released; r.Happened() {
		from = max(0, r.At-time.Minute).Truncate(10 * time.Second)
	}
	for _, minutes := range []time.Duration{2, 3, 4, 6, 8, 11, 15, 20, 30, 45, 60} {
		if to = from + minutes*time.Minute; to >= f.at {
			break
		}
	}
	if to < f.at || f.rec.Complete() {
		to = min(max(to, f.at), f.end)
	}
	return from, max(to, from+time.Second)
}

// drawChart draws one chart with its header.
func (d *Deck) drawChart(a canvas.Area, f *frame, k chartKind) {
	body := pane.Header(a, k.name+" · "+d.selection(), d.legend(f, k))
	from, to := window(f)
	c := chart.Chart{From: from, To: to, Low: k.low, High: k.high, Ceiling: k.ceiling, Label: k.label, Axis: axis}
	dots := 2 * (body.Width() - axis)
	c.Thresholds = thresholds(f, k)
	c.Marks = marks(f)
	sel := series.Selection{Cohort: d.cohort, Route: d.route}
	if k.harm {
		c.Lines = d.harmLines(f, k, sel, dots, from, to)
	} else {
		for _, side := range []series.Side{series.Primary, series.Canary} {
			sel.Side = side
			l := chart.Line{Points: points(f.rec, sel, f.at, from, to, dots, k.value), Style: theme.Canary}
			if side == series.Primary {
				l.Style, l.Dotted = theme.Primary, true
			}
			c.Lines = append(c.Lines, l)
		}
	}
	c.Draw(body)
}

// marks returns the moments so far: lines for milestones, symbols at the foot for the steps
// between.
func marks(f *frame) []chart.Mark {
	var all []chart.Mark
	for _, m := range f.markers {
		if m.At > f.at {
			break
		}
		symbol, style := pane.MarkerSymbol(m.Kind)
		mark := chart.Mark{At: m.At, Style: style}
		if m.Kind == series.MarkerStep || m.Kind == series.MarkerFailedCheck || m.Kind == series.MarkerDetected {
			mark.Symbol = symbol
		}
		all = append(all, mark)
	}
	return all
}

// harmLines returns the harm of this run and of the unguarded one.
func (d *Deck) harmLines(f *frame, k chartKind, sel series.Selection, dots int, from, to time.Duration) []chart.Line {
	guarded := chart.Line{Points: points(f.rec, sel, f.at, from, to, dots, k.value), Style: theme.Bad}
	o := f.unguarded
	if o == nil {
		return []chart.Line{guarded}
	}
	shift := o.Timeline().Released.At - f.rec.Timeline().Released.At
	unguarded := chart.Line{Points: points(o, sel, f.at+shift, from+shift, to+shift, dots, k.value),
		Style: theme.Unguarded, Dotted: true}
	for i := range unguarded.Points {
		unguarded.Points[i].From -= shift
		unguarded.Points[i].To -= shift
	}
	return []chart.Line{unguarded, guarded}
}

// selection names the users and the route that are drawn.
func (d *Deck) selection() string {
	who := "all users"
	if d.cohort != "" {
		who = d.cohort
	}
	if d.route != "" {
		who += " on " + d.route
	}
	return who
}

func (d *Deck) legend(f *frame, k chartKind) string {
	from, to := window(f)
	span := format.Clock(from) + " to " + format.Clock(to)
	switch {
	case !k.harm:
		return "── canary ·· primary · " + span
	case f.unguarded != nil:
		return "── this run ·· unguarded · " + span
	}
	return span
}

// thresholds returns the bounds that guardrails have queried so far.
func thresholds(f *frame, k chartKind) []chart.Threshold {
	var all []chart.Threshold
	add := func(v *float64, symbol, name string) {
		if v != nil {
			all = append(all, chart.Threshold{Value: *v, Label: name + " " + symbol + " " + format.Value(*v),
				Style: theme.Warn})
		}
	}
	for _, l := range f.rec.Lines() {
		if len(l.Samples) == 0 || l.Samples[0].At > f.at {
			continue
		}
		switch {
		case l.Unit == k.unit && k.unit == series.Success:
			add(l.Min, "≥", l.Metric)
		case l.Unit == k.unit && k.unit == series.Latency:
			add(l.Max, "≤", l.Metric)
		case l.Unit == series.Failure && k.unit == series.Success && l.Max != nil:
			good := 100 - *l.Max
			add(&good, "≥", l.Metric)
		}
	}
	return all
}

// points returns a selection's values up to a time, in intervals that do not shift while time moves
// on.
func points(r *recording.Recording, sel series.Selection, at, from, to time.Duration, n int,
	value func(series.Point) float64) []chart.Point {
	var all []chart.Point
	for _, p := range r.Points(sel, from, to, n) {
		if p.To > at {
			if p.From < at { // the interval that is not over
				for _, q := range r.Series().Points(sel, p.From, at, 1) {
					q.To = at
					all = append(all, chart.Point{From: q.From, To: at, Value: value(q)})
				}
			}
			break
		}
		all = append(all, chart.Point{From: p.From, To: p.To, Value: value(p)})
	}
	return all
}
