package html

import (
	"fmt"
	"math"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/series"
	"coalmine/lab/verdict/timeline"
)

// How fine the charts are: so many points at most, and what a share looks back over, as the windows
// of metrics do.
const (
	// The resolution of the charts: at most maxPoints points, and the windows of shares, which are
	// like those of metrics.
	maxPoints   = 120
	shareWindow = 30 * time.Second
	segmentBack = time.Minute
)

// chartSet draws the run that shows most.
type chartSet struct {
	run    model.Run
	series *series.Series
	lines  []series.Line
	axis   axis
	zero   time.Duration // the release
}

// charts are the charts of a run; none without a release.
func charts(r model.Run) []chart {
	t := r.Timeline
	if !t.Released.Happened() || t.Last.At <= t.Released.At {
		return nil
	}
	p := chartSet{run: r, series: series.Of(t), lines: series.Lines(t), axis: window(t), zero: t.Released.At}
	all := []chart{p.exposure(), p.shares(shown{id: "good", title: "Good answers to all users", of: "all users",
		over: shareWindow, least: 20})}
	if s, ok := worst(r); ok {
		all = append(all, p.shares(shown{id: "segment",
			title: fmt.Sprintf("Good answers to cohort %s on route %s", s.Cohort, s.Route),
			of:    "the segment that fared worst", selection: series.Selection{Cohort: s.Cohort, Route: s.Route},
			over: segmentBack, least: 5}))
	}
	return append(all, p.latency(), p.harm())
}

// worst is the segment that fared worst, if users were hurt and there are others.
func worst(r model.Run) (model.Segment, bool) {
	_, segments := model.Segments(r)
	if len(segments) < 2 || !r.Timeline.FirstBad.Happened() {
		return model.Segment{}, false
	}
	return segments[0], true
}

// window is from shortly before the release until well after the last thing that happened.
func window(t *timeline.Timeline) axis {
	last := t.Released.At
	for _, m := range series.Markers(t) {
		last = max(last, m.At)
	}
	length := max(last-t.Released.At, time.Minute)
	to := min(last+length/3, t.Last.At)
	if last == t.Released.At || to <= t.Released.At {
		to = t.Last.At
	}
	return axis{max(0, t.Released.At-length/15), to}
}

func (p *chartSet) base(id, title, desc string, height int) chart {
	c := chart{ID: id, Title: title, Desc: format.Clean(desc), Height: height, Times: p.axis.times(p.zero),
		Marks: p.marks()}
	c.Title = format.Clean(title)
	return c
}

// marks are the moments that every chart of the run shows. Steps have labels of their own.
func (p *chartSet) marks() []mark {
	var marks []mark
	for _, m := range series.Markers(p.run.Timeline) {
		sign, class, ok := signOf(m.Kind)
		if ok && p.axis.within(m.At) {
			title := fmt.Sprintf("%s at %s", m.Label, format.Clock(m.At))
			marks = append(marks, mark{X: p.axis.percent(m.At), Sign: sign, Class: class, Title: format.Clean(title),
				Anchor: "middle"})
		}
	}
	levels(marks)
	return marks
}

func signOf(k series.MarkerKind) (sign, class string, ok bool) {
	switch k {
	case series.MarkerHarm:
		return "▲", "bad", true
	case series.MarkerDetected:
		return "◆", "good", true
	case series.MarkerFailedCheck, series.MarkerRefused:
		return "✗", "warn", true
	case series.MarkerRollback:
		return "■", "good", true
	case series.MarkerRemoved:
		return "□", "warn", true
	case series.MarkerPromoted:
		return "★", "plain", true
	case series.MarkerPromoting:
		return "☆", "plain", true
	}
	return "", "", false
}

// exposure charts the released version's share of the traffic: the steps as a track, and what the
// canary really answered.
func (p *chartSet) exposure() chart {
	t := p.run.Timeline
	c := p.base("exposure", "The new version's share of the traffic", "", 150)
	s := scale{0, 100, c.Height}
	c.Grid = s.grid([]float64{0, 25, 50, 75, 100}, func(v float64) string { return fmt.Sprintf("%g %%", v) })
	var steps []value
	var weights []string
	for i, x := range t.Steps {
		w := float64(t.Exposure(i))
		steps = append(steps, value{x.At, w})
		name := fmt.Sprintf("%.0f %%", w)
		weights = append(weights, name+" at "+format.Clock(x.At))
		repeated := len(steps) > 1 && steps[len(steps)-2].v == w
		if at := p.axis.percent(x.At); p.axis.within(x.At) && w > 0 && !repeated {
			c.Labels = append(c.Labels, label{X: at, Y: max(s.y(w)-5, 31), Text: name, Anchor: anchor(at)})
		}
	}
	c.Labels = spaced(c.Labels)
	c.Paths = append(c.Paths, stairs("track", steps, p.axis, s))
	real := p.ratio(series.Selection{Side: series.Canary}, series.Selection{})
	c.Paths = append(c.Paths, line("canary", real, p.axis, s))
	c.Legend = []key{{"track", "share by the routes"}, {"canary", "share that the canary answered"}}
	c.Desc = "Weights of the new version: " + strings.Join(weights, ", ") + "."
	return c
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// spaced drops labels that would overlap the one before them.
func spaced(all []label) []label {
	var kept []label
	for _, l := range all {
		if n := len(kept); n > 0 && l.X-kept[n-1].X < 7 && l.Y == kept[n-1].Y {
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

func (p *chartSet) points(s series.Selection) []series.Point {
	n := int(min(maxPoints, (p.axis.to-p.axis.from)/(2*time.Second)))
	return p.series.Points(s, p.axis.from, p.axis.to, max(1, n))
}

// ratio is the share of one selection's requests in another, in percent.
func (p *chartSet) ratio(part, whole series.Selection) []value {
	a, b := p.points(part), p.points(whole)
	var values []value
	for i := range a {
		v := math.NaN()
		if b[i].N > 0 && a[i].N > 0 {
			v = 100 * share(a[i].N, b[i].N)
		}
		values = append(values, value{a[i].To, v})
	}
	return values
}

// harm charts the harmed requests since the release, against the same seed unguarded and under the
// reference.
func (p *chartSet) harm() chart {
	t := p.run.Timeline
	whole := axis{p.zero, t.Last.At}
	c := chart{ID: "harm", Title: "Requests that the fault made bad so far", Height: 170, Times: whole.times(p.zero)}
	var counts []string
	high := 1.0
	type counted struct {
		class, name string
		values      []value
	}
	var all []counted
	for _, x := range []struct {
		class, name string
		t           *timeline.Timeline
	}{{"none", "unguarded", p.run.Unguarded}, {"best", "reference", p.run.Reference}, {"bad", "yours", t}} {
		if x.t == nil || !x.t.Released.Happened() {
			continue
		}
		values := harmSoFar(x.t, whole)
		last := values[len(values)-1].v
		high = max(high, last)
		all = append(all, counted{x.class, x.name, values})
		counts = append(counts, fmt.Sprintf("%s %s", x.name, format.Number(int(last))))
		c.Legend = append(c.Legend, key{x.class, fmt.Sprintf("%s: %s", x.name, format.Number(int(last)))})
	}
	s := scale{0, high, c.Height}
	c.Grid = s.grid(round(0, high), func(v float64) string { return format.Number(int(v)) })
	for _, x := range all {
		c.Paths = append(c.Paths, line(x.class, x.values, whole, s))
	}
	for _, m := range series.Markers(t) {
		if sign, class, ok := signOf(m.Kind); ok && m.Kind != series.MarkerFailedCheck && whole.within(m.At) {
			c.Marks = append(c.Marks, mark{X: whole.percent(m.At), Sign: sign, Class: class,
				Title: format.Clean(m.Label + " at " + format.Clock(m.At)), Anchor: "middle"})
		}
	}
	levels(c.Marks)
	c.Desc = "From the release to the end of the run: " + strings.Join(counts, ", ") + "."
	return c
}

// harmSoFar aligns a run's count with this run's release.
func harmSoFar(t *timeline.Timeline, whole axis) []value {
	values := []value{{whole.from, 0}}
	for _, x := range series.Of(t).Points(series.Selection{}, t.Released.At, t.Last.At, maxPoints) {
		at := min(x.To-t.Released.At+whole.from, whole.to)
		values = append(values, value{at, float64(x.HarmSoFar)})
	}
	return values
}
