// Package chart draws numbers over time: lines with thresholds and marks, and bars. It
// knows nothing of runs.
package chart

import (
	"math"
	"time"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Point is a value over an interval of time. NaN leaves a gap.
type Point struct {
	From, To time.Duration
	Value    float64
}

// Line is one line of a chart.
type Line struct {
	Points []Point
	Style  theme.Style
	// Dotted lines differ from solid ones without colours.
	Dotted bool
}

// Threshold is a level that values are compared with.
type Threshold struct {
	Value float64
	Label string
	Style theme.Style
}

// Mark is a moment, drawn as a thin vertical line, or as a symbol at the foot of the chart if it
// has one.
type Mark struct {
	At     time.Duration
	Style  theme.Style
	Symbol rune
}

// Chart shows lines over one range of time.
type Chart struct {
	From, To time.Duration
	// Low and High are the minimum range of values; it grows to hold the lines and thresholds, up
	// to Ceiling unless that is 0.
	Low, High, Ceiling float64
	Lines              []Line // later lines are drawn over earlier ones
	Thresholds         []Threshold
	Marks              []Mark
	// Label formats a value for the axis.
	Label func(float64) string
	// Axis is the width of the labels in columns.
	Axis int
}

// Draw draws the chart onto an area.
func (c Chart) Draw(a canvas.Area) {
	labels, plot := a.Left(c.Axis)
	if plot.Width() < 2 || plot.Height() < 1 || c.To <= c.From {
		return
	}
	g := grid{Chart: c, area: plot, w: plot.Width(), h: plot.Height()}
	g.low, g.high, g.step = c.scale()
	g.axis(labels)
	for _, m := range c.Marks {
		g.mark(m)
	}
	for _, t := range c.Thresholds {
		g.threshold(t)
	}
	g.dots = make([]dots, g.w*g.h)
	for _, l := range c.Lines {
		g.line(l)
	}
	g.flush()
	g.names()
}

// scale returns the range of values that is shown, and the step between its round numbers.
// Thresholds far from all values would flatten the lines, so the range ignores them.
func (c Chart) scale() (low, high, unit float64) {
	low, high = c.Low, c.High
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
				low, high = min(low, p.Value), max(high, p.Value)
			}
		}
	}
	from, to := low-(high-low), high+(high-low)
	for _, t := range c.Thresholds {
		if t.Value >= from && t.Value <= to {
			margin := (high - low) / 10
			low, high = min(low, t.Value-margin), max(high, t.Value+margin)
		}
	}
	if c.Low >= 0 {
		low = max(0, low)
	}
	low, high, unit = niceRange(low, high)
	if c.Ceiling > 0 {
		high = min(high, c.Ceiling)
	}
	return low, max(high, low+unit/2), unit
}

// niceRange widens a range to round numbers, and returns the step between them.
func niceRange(low, high float64) (from, to, unit float64) {
	span := high - low
	if span <= 0 {
		return low, low + 1, 1
	}
	unit = math.Pow(10, math.Floor(math.Log10(span)))
	for _, part := range []float64{0.1, 0.2, 0.5, 1} {
		if span/(unit*part) <= 12 {
			unit *= part
			break
		}
	}
	return math.Floor(low/unit+1e-9) * unit, math.Ceil(high/unit-1e-9) * unit, unit
}

// grid is a chart while it is drawn.
type grid struct {
	Chart
	area      canvas.Area
	w, h      int
	low, high float64
	step      float64
	dots      []dots
}

// dots is one cell of the plot: which of its 2×4 dots are set, and its style.
type dots struct {
	bits  uint8
	style theme.Style
}

func (g *grid) axis(a canvas.Area) {
	if g.Label == nil || a.Width() < 2 {
		return
	}
	put := func(y int, v float64) { a.Right(a.Width()-1, y, theme.Muted, g.Label(v)) }
	put(0, g.high)
	if g.h > 1 {
		put(g.h-1, g.low)
	}
	if g.h >= 7 {
		mid := math.Round((g.low+g.high)/2/g.step) * g.step
		put(g.row(mid), mid)
	}
	for y := range g.h {
		a.Rune(a.Width()-1, y, theme.Muted, '│')
	}
}

// column returns the column of a time; ok is false outside of the chart.
func (g *grid) column(at time.Duration) (x int, ok bool) {
	x = Column(at, g.From, g.To, g.w)
	return x, at >= g.From && at <= g.To
}

// Column returns which of w columns between two times a time is in.
func Column(at, from, to time.Duration, w int) int {
	if to <= from || w < 1 {
		return 0
	}
	return min(w-1, max(0, int(float64(at-from)/float64(to-from)*float64(w))))
}

func (g *grid) mark(m Mark) {
	x, ok := g.column(m.At)
	switch {
	case !ok:
	case m.Symbol != 0:
		g.area.Rune(x, g.h-1, m.Style, m.Symbol)
	default:
		for y := range g.h {
			g.area.Rune(x, y, m.Style, '╎')
		}
	}
}

// row returns the row of a value.
func (g *grid) row(v float64) int {
	return min(g.h-1, max(0, int((g.high-v)/(g.high-g.low)*float64(g.h))))
}

func (g *grid) threshold(t Threshold) {
	if t.Value >= g.low && t.Value <= g.high {
		g.area.Fill(0, g.row(t.Value), g.w, t.Style, '╌')
	}
}

// name writes a threshold's label at its right end, over whatever is there; an arrow points to one
// beyond the edge.
func (g *grid) name(t Threshold, y int) {
	label := t.Label
	switch {
	case t.Value > g.high:
		label += " ↑"
	case t.Value < g.low:
		label += " ↓"
	}
	if n := canvas.Width(label); t.Label != "" && n < g.w*2/3 {
		g.area.Right(g.w, y, t.Style, " "+label)
	}
}

// names writes the labels of all thresholds, one per row.
func (g *grid) names() {
	taken := map[int]bool{}
	for _, t := range g.Thresholds {
		y := g.row(t.Value)
		for taken[y] && y+1 < g.h {
			y++
		}
		taken[y] = true
		g.name(t, y)
	}
}

// line sets the dots of a line. A vertical stroke joins neighbouring values.
func (g *grid) line(l Line) {
	dx, dy := g.resolution()
	last := -1
	for _, p := range l.Points {
		if math.IsNaN(p.Value) || p.To <= g.From || p.From >= g.To {
			last = -1
			continue
		}
		y := min(g.h*dy-1, max(0, int((g.high-p.Value)/(g.high-g.low)*float64(g.h*dy))))
		x0 := Column(p.From, g.From, g.To, g.w*dx)
		x1 := max(x0, Column(p.To-1, g.From, g.To, g.w*dx))
		if last >= 0 {
			for v := min(last, y); v <= max(last, y); v++ {
				g.dot(x0, v, l)
			}
		}
		for x := x0; x <= x1; x++ {
			g.dot(x, y, l)
		}
		last = y
	}
}

// resolution returns the number of dots in a cell.
func (g *grid) resolution() (x, y int) {
	if g.area.ASCII() {
		return 1, 1
	}
	return 2, 4
}

func (g *grid) dot(x, y int, l Line) {
	dx, dy := g.resolution()
	if l.Dotted && x%2 == 1 {
		return
	}
	d := &g.dots[y/dy*g.w+x/dx]
	d.style = l.Style
	if g.area.ASCII() {
		d.bits = 1
		if l.Dotted {
			d.bits = 2
		}
		return
	}
	// Unicode 2800: dots 1 to 3 and 7 are the left column, 4 to 6 and 8 the right one.
	d.bits |= [2][4]uint8{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}[x%2][y%4]
}

func (g *grid) flush() {
	for i, d := range g.dots {
		if d.bits == 0 {
			continue
		}
		r := rune(0x2800) + rune(d.bits)
		if g.area.ASCII() {
			r = '*'
			if d.bits == 2 {
				r = '.'
			}
		}
		g.area.Rune(i%g.w, i/g.w, d.style, r)
	}
}
