package html

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/format"
)

// chart is one chart for the template: lines in a box of 1000 × Height that is stretched to the
// page's width, and labels at percentages of that width, so that text keeps its size on a phone and
// on paper.
type chart struct {
	ID, Title, Desc string
	Height          int
	Paths           []path
	Grid            []tick // horizontal lines, Y in pixels
	Times           []tick // along the bottom, X in percent
	Bounds          []bound
	Dots            []dot
	Marks           []mark
	Labels          []label
	Legend          []key
}

type path struct{ Class, D string }

type tick struct {
	X, Y   number
	Label  string
	Anchor string
	Minor  bool // may be left out on a narrow screen
}

// bound is the bound of a guardrail's metric.
type bound struct {
	Y, LabelY number
	Label     string
}

// dot is one result of a query of Flagger's.
type dot struct {
	X, Y   number
	Failed bool
	Title  string
}

// mark is a moment of the run: a line from top to bottom with a sign above it.
type mark struct {
	X      number
	Level  number // pixels from the top
	Sign   string
	Class  string
	Title  string
	Anchor string
}

// label is text within the chart.
type label struct {
	X, Y   number
	Text   string
	Anchor string
}

type key struct{ Class, Text string }

// number is formatted with few digits: a chart has thousands of them.
type number float64

func (n number) String() string {
	return strconv.FormatFloat(math.Round(float64(n)*10)/10, 'f', -1, 64)
}

// axis maps times to the width of a chart.
type axis struct{ from, to time.Duration }

func (a axis) x(at time.Duration) float64 {
	return min(1, max(0, float64(at-a.from)/float64(max(1, a.to-a.from))))
}

func (a axis) percent(at time.Duration) number { return number(100 * a.x(at)) }

// within reports whether a time is on the axis.
func (a axis) within(at time.Duration) bool { return at >= a.from && at <= a.to }

// times are round times since zero, at most eight.
func (a axis) times(zero time.Duration) []tick {
	step := time.Duration(0)
	for _, s := range []time.Duration{10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400} {
		if step = s * time.Second; (a.to-a.from)/step < 8 {
			break
		}
	}
	var ticks []tick
	for i := time.Duration(math.Ceil(float64(a.from-zero) / float64(step))); zero+i*step <= a.to; i++ {
		t := tick{X: a.percent(zero + i*step), Label: format.Offset(i * step), Minor: i%2 != 0}
		if i == 0 {
			t.Label = "release"
		}
		t.Anchor = anchor(t.X)
		ticks = append(ticks, t)
	}
	return ticks
}

// anchor keeps a label within the chart.
func anchor(x number) string {
	switch {
	case x < 6:
		return "start"
	case x > 94:
		return "end"
	}
	return "middle"
}

// scale maps values to the height of a chart.
type scale struct {
	low, high float64
	height    int
}

// headroom is the space above the highest value, for the signs of marks and the names of steps.
const headroom = 34

func (s scale) y(v float64) number {
	share := (v - s.low) / max(1e-9, s.high-s.low)
	return number(float64(s.height) - min(1, max(0, share))*float64(s.height-headroom))
}

// grid are the lines at round values.
func (s scale) grid(values []float64, name func(float64) string) []tick {
	var ticks []tick
	for _, v := range values {
		if v >= s.low && v <= s.high {
			ticks = append(ticks, tick{Y: s.y(v), Label: name(v)})
		}
	}
	return ticks
}

// round returns about four round values from low to high.
func round(low, high float64) []float64 {
	step := math.Pow10(int(math.Floor(math.Log10(max(high-low, 1e-6)))))
	for _, f := range []float64{0.2, 0.5, 1, 2, 5} {
		if (high-low)/(step*f) <= 5 {
			step *= f
			break
		}
	}
	var all []float64
	for i := int(math.Ceil(low/step - 1e-9)); float64(i)*step <= high+step*1e-9; i++ {
		all = append(all, float64(i)*step)
	}
	return all
}

// value is a value at a time; NaN is a gap.
type value struct {
	at time.Duration
	v  float64
}

// line joins values; gaps interrupt it.
func line(class string, values []value, a axis, s scale) path {
	var b strings.Builder
	begin := true
	for _, p := range values {
		if math.IsNaN(p.v) {
			begin = true
			continue
		}
		op := "L"
		if begin {
			op = "M"
		}
		begin = false
		fmt.Fprintf(&b, "%s%s %s", op, number(1000*a.x(p.at)), s.y(p.v))
	}
	return path{class, b.String()}
}

// stairs is a filled line that keeps each value until the next.
func stairs(class string, values []value, a axis, s scale) path {
	var b strings.Builder
	last := s.y(0)
	fmt.Fprintf(&b, "M0 %s", last)
	for _, p := range values {
		x := number(1000 * a.x(p.at))
		fmt.Fprintf(&b, "L%s %sL%s %s", x, last, x, s.y(p.v))
		last = s.y(p.v)
	}
	fmt.Fprintf(&b, "L1000 %sL1000 %sZ", last, s.y(0))
	return path{class, b.String()}
}

// levels lifts marks that would overlap.
func levels(marks []mark) {
	const apart = 4 // percent of the width that a sign takes on a phone
	const row = 13
	var free []number // by row, where it is free again
	for i := range marks {
		r := 0
		for r < len(free) && marks[i].X < free[r] {
			r++
		}
		if r == len(free) {
			free = append(free, 0)
		}
		free[r] = marks[i].X + apart
		marks[i].Level = number(11 + row*(r%3))
	}
}
