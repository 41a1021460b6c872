package html

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/series"
)

// shown is the subject of a chart of shares.
type shown struct {
	id, title, of string
	selection     series.Selection
	over          time.Duration // window of each value
	least         int           // number of requests below which a share says nothing
}

// back is the share of good answers of one side in percent, over a window. It has gaps where the
// side gets no requests at all, or too few to say anything.
func (p *chartSet) back(x shown, side series.Side) []value {
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

// shares compares the canary's share of good answers with the primary's.
func (p *chartSet) shares(x shown) chart {
	c := p.base(x.id, x.title, "", 180)
	onCanary, onPrimary := p.back(x, series.Canary), p.back(x, series.Primary)
	low := lowest(onCanary, onPrimary)
	bounds := p.asked(series.Success, x.selection)
	for _, l := range bounds {
		if l.Min != nil {
			low = min(low, *l.Min)
		}
		for _, a := range l.Samples {
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
	c.Desc = format.Clean(fmt.Sprintf("Share of good answers for %s, over the last %s. %s %s", x.of,
		format.Duration(x.over),
		extremes("canary", onCanary), extremes("primary", onPrimary)))
	return c
}

// asked are the metrics of a unit whose bounds belong in the chart of a selection. A query that
// names cohorts or routes is about them; one that names none is about everyone.
func (p *chartSet) asked(u series.Unit, s series.Selection) []series.Line {
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

// addAsked draws the bounds and results of metrics.
func (p *chartSet) addAsked(c *chart, lines []series.Line, s scale) {
	for _, l := range lines {
		if l.Min != nil {
			c.addBound(s.y(*l.Min), 12, format.Clean(fmt.Sprintf("%s at least %g", l.Metric, *l.Min)))
		}
		if l.Max != nil {
			c.addBound(s.y(*l.Max), -4, format.Clean(fmt.Sprintf("%s at most %g", l.Metric, *l.Max)))
		}
		for _, a := range l.Samples {
			if a.Value != nil && p.axis.within(a.At) {
				c.Dots = append(c.Dots, dot{p.axis.percent(a.At), s.y(*a.Value), !a.Passed,
					format.Clean(fmt.Sprintf("%s was %.6g at %s", l.Metric, *a.Value, format.Clock(a.At)))})
			}
		}
	}
	if len(lines) > 0 {
		c.Legend = append(c.Legend, key{"bound", "bound of a check"}, key{"dot", "result of a query"})
	}
}

// addBound draws a line with its name on the side that fails it. Bounds of one value share a line.
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

// floor is a round value well below a share in percent.
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
	return fmt.Sprintf("The %s's lowest was %s at %s.", name, format.Percent(low/100), format.Clock(at))
}

// latency compares the 99th percentile of the canary's latency with the primary's.
func (p *chartSet) latency() chart {
	c := p.base("latency", "99th percentile of the latency (p99)", "", 180)
	n := int(max(1, (p.axis.to-p.axis.from)/(10*time.Second)))
	high := 0.0
	var paths [2][]value
	for i, side := range []series.Side{series.Primary, series.Canary} {
		for _, x := range p.series.Points(series.Selection{Side: side}, p.axis.from, p.axis.to, min(n, maxPoints)) {
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
		for _, a := range l.Samples {
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
	c.Desc = fmt.Sprintf("99th percentile of the latency. %s %s", highest("canary", paths[1]),
		highest("primary", paths[0]))
	return c
}

func milliseconds(v float64) string {
	if v == 0 {
		return "0 ms"
	}
	return format.Latency(time.Duration(v * float64(time.Millisecond)))
}

func highest(name string, values []value) string {
	high, at := 0.0, time.Duration(0)
	for _, v := range values {
		if v.v > high { // never NaN
			high, at = v.v, v.at
		}
	}
	return fmt.Sprintf("The %s's highest was %s at %s.", name, milliseconds(high), format.Clock(at))
}
