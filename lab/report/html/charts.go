package html

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"coalmine/lab/report/dossier"
	"coalmine/lab/report/words"
	"coalmine/lab/timeline"
	"coalmine/lab/timeline/series"
)

// How fine the charts are: so many points at most, and what a share looks back over, as the windows of metrics do.
const (
	mostPoints  = 120
	shareWindow = 30 * time.Second
	segmentBack = time.Minute
)

// pictures draws the run that says most.
type pictures struct {
	run    dossier.Run
	series *series.Series
	lines  []series.Line
	axis   axis
	zero   time.Duration // the release
}

// charts are the pictures of a run; none without a release.
func charts(r dossier.Run) []chart {
	t := r.Timeline
	if !t.Released.Seen() || t.Last.At <= t.Released.At {
		return nil
	}
	p := pictures{run: r, series: series.Of(t), lines: series.Lines(t), axis: window(t), zero: t.Released.At}
	all := []chart{p.exposure(), p.shares(shown{id: "good", title: "Good answers to all users", of: "all users", over: shareWindow, least: 20})}
	if s, ok := worst(r); ok {
		all = append(all, p.shares(shown{id: "segment", title: fmt.Sprintf("Good answers to cohort %s on route %s", s.Cohort, s.Route),
			of: "the segment that fared worst", selection: series.Selection{Cohort: s.Cohort, Route: s.Route}, over: segmentBack, least: 5}))
	}
	return append(all, p.latency(), p.harm())
}

// worst is the segment that suffered most, where users were hurt and it is not all there is.
func worst(r dossier.Run) (dossier.Segment, bool) {
	_, segments := dossier.Segments(r)
	if len(segments) < 2 || !r.Timeline.FirstBad.Seen() {
		return dossier.Segment{}, false
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

func (p *pictures) base(id, title, desc string, height int) chart {
	c := chart{ID: id, Title: title, Desc: words.Clean(desc), Height: height, Times: p.axis.times(p.zero), Marks: p.marks()}
	c.Title = words.Clean(title)
	return c
}

// marks are the moments that every chart of the run shows. Steps have names of their own.
func (p *pictures) marks() []mark {
	var marks []mark
	for _, m := range series.Markers(p.run.Timeline) {
		sign, class, ok := signOf(m.Kind)
		if ok && p.axis.within(m.At) {
			title := fmt.Sprintf("%s at %s", m.Label, words.Clock(m.At))
			marks = append(marks, mark{X: p.axis.percent(m.At), Sign: sign, Class: class, Title: words.Clean(title), Anchor: "middle"})
		}
	}
	levels(marks)
	return marks
}

func signOf(k series.MarkerKind) (sign, class string, ok bool) {
	switch k {
	case series.MarkHarm:
		return "▲", "bad", true
	case series.MarkNoticed:
		return "◆", "warn", true
	case series.MarkFailed, series.MarkRefused:
		return "✗", "warn", true
	case series.MarkRollback:
		return "■", "good", true
	case series.MarkRemoved:
		return "□", "warn", true
	case series.MarkPromoted:
		return "★", "plain", true
	case series.MarkPromoting:
		return "☆", "plain", true
	}
	return "", "", false
}

// exposure is the released version's share of the traffic: the steps as a track, and what the canary really answered.
func (p *pictures) exposure() chart {
	t := p.run.Timeline
	c := p.base("exposure", "How much of the traffic the new version had", "", 150)
	s := scale{0, 100, c.Height}
	c.Grid = s.grid([]float64{0, 25, 50, 75, 100}, func(v float64) string { return fmt.Sprintf("%g %%", v) })
	var steps []value
	var told []string
	for _, x := range t.Steps {
		w := float64(x.Weight)
		if x.Matched {
			w = 100 * share(x.Canary, x.Served)
		}
		steps = append(steps, value{x.At, w})
		name := fmt.Sprintf("%.0f %%", w)
		told = append(told, name+" at "+words.Clock(x.At))
		repeated := len(steps) > 1 && steps[len(steps)-2].v == w
		if at := p.axis.percent(x.At); p.axis.within(x.At) && w > 0 && !repeated {
			c.Labels = append(c.Labels, label{X: at, Y: max(s.y(w)-5, 31), Text: name, Anchor: anchor(at)})
		}
	}
	c.Labels = spaced(c.Labels)
	c.Paths = append(c.Paths, stairs("track", steps, p.axis, s))
	real := p.ratio(series.Selection{Side: series.Canary}, series.Selection{})
	c.Paths = append(c.Paths, line("canary", real, p.axis, s))
	c.Legend = []key{{"track", "weight that Flagger set"}, {"canary", "share that the canary answered"}}
	c.Desc = "Weights of the new version: " + strings.Join(told, ", ") + "."
	return c
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// spaced drops labels that would stand on the one before them.
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

func (p *pictures) points(s series.Selection) []series.Point {
	n := int(min(mostPoints, (p.axis.to-p.axis.from)/(2*time.Second)))
	return p.series.Points(s, p.axis.from, p.axis.to, max(1, n))
}

// ratio is what part of one selection's requests another one answered, in percent.
func (p *pictures) ratio(part, whole series.Selection) []value {
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

// shown is what a chart of shares is about.
type shown struct {
	id, title, of string
	selection     series.Selection
	over          time.Duration // what each value looks back over
	least         int           // requests, below which a share says nothing
}

// back is the share of good answers of one side in percent, looking back over a time. Where the side rests altogether, or there
// were too few requests to say anything, is a gap.
func (p *pictures) back(x shown, side series.Side) []value {
	x.selection.Side = side
	points, busy := p.points(x.selection), p.points(series.Selection{Side: side})
	var values []value
	n, bad, first := 0, 0, 0
	for i, q := range points {
		n, bad = n+q.N, bad+q.Bad
		for ; first < i && points[first].To <= q.To-x.over || busy[i].N == 0 && first <= i; first++ {
			n, bad = n-points[first].N, bad-points[first].Bad
		}
		v := math.NaN()
		if n >= x.least {
			v = 100 * share(n-bad, n)
		}
		values = append(values, value{q.To, v})
	}
	return values
}

// shares compares good answers of the canary with the primary's.
func (p *pictures) shares(x shown) chart {
	c := p.base(x.id, x.title, "", 180)
	onCanary, onPrimary := p.back(x, series.Canary), p.back(x, series.Primary)
	low := lowest(onCanary, onPrimary)
	bounds := p.asked(series.Success, x.selection)
	for _, l := range bounds {
		if l.Min != nil {
			low = min(low, *l.Min)
		}
		for _, a := range l.Answers {
			if a.Value != nil {
				low = min(low, *a.Value)
			}
		}
	}
	sc := scale{floor(low), 100, c.Height}
	c.Grid = sc.grid(round(sc.low, 100), func(v float64) string { return fmt.Sprintf("%.4g %%", v) })
	c.Paths = []path{line("primary", onPrimary, p.axis, sc), line("canary", onCanary, p.axis, sc)}
	c.Legend = []key{{"canary", "canary"}, {"primary", "primary"}}
	p.addAsked(&c, bounds, sc)
	c.Desc = words.Clean(fmt.Sprintf("Share of good answers for %s, over the last %s. %s %s", x.of, words.Span(x.over),
		extremes("canary", onCanary), extremes("primary", onPrimary)))
	return c
}

// asked are the metrics of a unit that draw a line for a selection. A query that names cohorts or routes is about them; one
// that names none is about everyone.
func (p *pictures) asked(u series.Unit, s series.Selection) []series.Line {
	t := p.run.Timeline
	var all []series.Line
	for _, l := range p.lines {
		if l.Unit != u || l.Min == nil && l.Max == nil {
			continue
		}
		fits, named := true, false
		for _, name := range slices.Concat(t.Cohorts(), t.RouteNames()) {
			if strings.Contains(l.PromQL, `"`+name+`"`) {
				named = true
				fits = fits && (name == s.Cohort || name == s.Route)
			}
		}
		if everyone := s == (series.Selection{}); fits && named != everyone {
			all = append(all, l)
		}
	}
	return all
}

// addAsked draws bounds and answers of metrics.
func (p *pictures) addAsked(c *chart, lines []series.Line, s scale) {
	for _, l := range lines {
		if l.Min != nil {
			c.addBound(s.y(*l.Min), 12, words.Clean(fmt.Sprintf("%s at least %g", l.Metric, *l.Min)))
		}
		if l.Max != nil {
			c.addBound(s.y(*l.Max), -4, words.Clean(fmt.Sprintf("%s at most %g", l.Metric, *l.Max)))
		}
		for _, a := range l.Answers {
			if a.Value != nil && p.axis.within(a.At) {
				c.Dots = append(c.Dots, dot{p.axis.percent(a.At), s.y(*a.Value), !a.Passed,
					words.Clean(fmt.Sprintf("%s answered %.6g at %s", l.Metric, *a.Value, words.Clock(a.At)))})
			}
		}
	}
	if len(lines) > 0 {
		c.Legend = append(c.Legend, key{"bound", "what a check asks for"}, key{"dot", "what Flagger was answered"})
	}
}

// addBound draws a line with its name on the side that fails it, where the least is drawn. Names of one line share it.
func (c *chart) addBound(y, shift number, name string) {
	for i := range c.Bounds {
		if b := &c.Bounds[i]; b.Y == y {
			b.Label = name + ", " + b.Label
			return
		}
	}
	c.Bounds = append(c.Bounds, bound{y, y + shift, name})
}

func lowest(all ...[]value) float64 {
	low := 100.0
	for _, values := range all {
		for _, v := range values {
			if !math.IsNaN(v.v) {
				low = min(low, v.v)
			}
		}
	}
	return low
}

// floor is a round value well under a share in percent.
func floor(v float64) float64 {
	for _, f := range []float64{99.8, 99.5, 99, 98.5, 98, 97, 95, 90, 80, 70, 60, 50, 40, 20} {
		if f <= v-0.08*(100-v) {
			return f
		}
	}
	return 0
}

func extremes(name string, values []value) string {
	low, at := math.Inf(1), time.Duration(0)
	for _, v := range values {
		if v.v < low { // never NaN
			low, at = v.v, v.at
		}
	}
	if math.IsInf(low, 1) {
		return fmt.Sprintf("The %s answered nothing.", name)
	}
	return fmt.Sprintf("The %s's lowest was %.4g %% at %s.", name, low, words.Clock(at))
}

// latency compares the slowest hundredth of the canary's users with the primary's.
func (p *pictures) latency() chart {
	c := p.base("latency", "What the slowest hundredth of users waited (p99)", "", 180)
	n := int(max(1, (p.axis.to-p.axis.from)/(10*time.Second)))
	high := 0.0
	var paths [2][]value
	for i, side := range []series.Side{series.Primary, series.Canary} {
		for _, x := range p.series.Points(series.Selection{Side: side}, p.axis.from, p.axis.to, min(n, mostPoints)) {
			v := math.NaN()
			if x.N > 0 {
				v = float64(x.P99) / float64(time.Millisecond)
				high = max(high, v)
			}
			paths[i] = append(paths[i], value{x.To, v})
		}
	}
	bounds := p.asked(series.Latency, series.Selection{})
	for _, l := range bounds {
		if l.Max != nil {
			high = max(high, *l.Max)
		}
		for _, a := range l.Answers {
			if a.Value != nil {
				high = max(high, *a.Value)
			}
		}
	}
	s := scale{0, max(high*1.05, 10), c.Height}
	c.Grid = s.grid(round(0, s.high), milliseconds)
	c.Paths = []path{line("primary", paths[0], p.axis, s), line("canary", paths[1], p.axis, s)}
	c.Legend = []key{{"canary", "canary"}, {"primary", "primary"}}
	p.addAsked(&c, bounds, s)
	c.Desc = fmt.Sprintf("99th percentile of the answer time. %s %s", highest("canary", paths[1]), highest("primary", paths[0]))
	return c
}

func milliseconds(v float64) string {
	if v == 0 {
		return "0 ms"
	}
	return words.Wait(time.Duration(v * float64(time.Millisecond)))
}

func highest(name string, values []value) string {
	high, at := 0.0, time.Duration(0)
	for _, v := range values {
		if v.v > high { // never NaN
			high, at = v.v, v.at
		}
	}
	return fmt.Sprintf("The %s's highest was %s at %s.", name, milliseconds(high), words.Clock(at))
}

// harm counts harmed requests from the release on, against the same seed without guardrail and under the reference.
func (p *pictures) harm() chart {
	t := p.run.Timeline
	whole := axis{p.zero, t.Last.At}
	c := chart{ID: "harm", Title: "Requests that the fault made bad so far", Height: 170, Times: whole.times(p.zero)}
	var told []string
	high := 1.0
	type counted struct {
		class, name string
		values      []value
	}
	var all []counted
	for _, x := range []struct {
		class, name string
		t           *timeline.Timeline
	}{{"none", "no guardrail", p.run.None}, {"best", "reference", p.run.Best}, {"canary", "yours", t}} {
		if x.t == nil || !x.t.Released.Seen() {
			continue
		}
		values := sofar(x.t, whole)
		last := values[len(values)-1].v
		high = max(high, last)
		all = append(all, counted{x.class, x.name, values})
		told = append(told, fmt.Sprintf("%s %s", x.name, words.Number(int(last))))
		c.Legend = append(c.Legend, key{x.class, fmt.Sprintf("%s: %s", x.name, words.Number(int(last)))})
	}
	s := scale{0, high, c.Height}
	c.Grid = s.grid(round(0, high), func(v float64) string { return words.Number(int(v)) })
	for _, x := range all {
		c.Paths = append(c.Paths, line(x.class, x.values, whole, s))
	}
	for _, m := range series.Markers(t) {
		if sign, class, ok := signOf(m.Kind); ok && m.Kind != series.MarkFailed && whole.within(m.At) {
			c.Marks = append(c.Marks, mark{X: whole.percent(m.At), Sign: sign, Class: class, Title: words.Clean(m.Label + " at " + words.Clock(m.At)), Anchor: "middle"})
		}
	}
	levels(c.Marks)
	c.Desc = "From the release to the end of the run: " + strings.Join(told, ", ") + "."
	return c
}

// sofar moves a run's count to this run's release.
func sofar(t *timeline.Timeline, whole axis) []value {
	values := []value{{whole.from, 0}}
	for _, x := range series.Of(t).Points(series.Selection{}, t.Released.At, t.Last.At, mostPoints) {
		at := min(x.To-t.Released.At+whole.from, whole.to)
		values = append(values, value{at, float64(x.Sofar)})
	}
	return values
}
