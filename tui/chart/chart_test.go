package chart_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/theme"
)

func draw(c chart.Chart, w, h int, isASCII bool) string {
	th := theme.None()
	th.ASCII = isASCII
	on := canvas.New(w, h, th)
	c.Draw(on.All())
	return strings.Join(on.Lines(), "\n")
}

// steps are values that each last for a second; NaN is a gap.
func steps(values ...float64) []chart.Point {
	var all []chart.Point
	for i, v := range values {
		from := time.Duration(i) * time.Second
		all = append(all, chart.Point{From: from, To: from + time.Second, Value: v})
	}
	return all
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if want = strings.Trim(want, "\n"); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func TestChart(t *testing.T) {
	gap := math.NaN()
	c := chart.Chart{
		To: 20 * time.Second, Low: 98, High: 100, Ceiling: 100, Axis: 6, Label: number,
		Lines: []chart.Line{
			{Points: steps(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100), Style: theme.Primary,
				Dotted: true},
			{Points: steps(gap, gap, gap, gap, 100, 99, 98, 96, 96, gap, 97, 98), Style: theme.Canary},
		},
		Thresholds: []chart.Threshold{{Value: 99, Label: "success ≥ 99", Style: theme.Warn}},
		Marks: []chart.Mark{{At: 15 * time.Second, Style: theme.Bad}, {At: 18 * time.Second, Symbol: '◆'},
			{At: time.Minute}},
	}
	same(t, "dots", draw(c, 46, 8, false), `
  100│⠁⠁⠁⠁⠁⠁⠁⠁⠉⠉⡇⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁⠁      ╎
     │          ⡇                   ╎
     │╌╌╌╌╌╌╌╌╌╌⠉⠉⡇╌╌╌╌╌╌╌╌╌╌╌╌╌╌ success ≥ 99
     │            ⡇                 ╎
   98│            ⠉⠉⡇       ⡏⠉      ╎
     │              ⡇       ⡇       ╎
     │              ⡇     ⠉⠉⠁       ╎
   96│              ⣇⣀⣀⣀            ╎     ◆`)
	same(t, "ASCII", draw(c, 46, 8, true), `
  100|. . . . *** . . . . . .       |
     |          *                   |
     |----------***-------------- success > 99
     |            *                 |
   98|            ***       **      |
     |              *       *       |
     |              *     ***       |
   96|              ****            |     #`)
}

// TestDistantThresholds: they must not flatten the values, and are shown with an arrow.
func TestDistantThresholds(t *testing.T) {
	c := chart.Chart{To: 10 * time.Second, High: 10, Axis: 5, Label: number,
		Lines: []chart.Line{{Points: steps(80, 90, 100, 90)}}}
	c.Thresholds = []chart.Threshold{{Value: 500, Label: "p99 ≤ 500"}}
	if got := draw(c, 40, 6, false); !strings.Contains(got, "p99 ≤ 500 ↑") || !strings.Contains(got, " 100│") {
		t.Errorf("above:\n%s", got)
	}
	c.Thresholds[0].Value = 150
	if got := draw(c, 40, 6, false); !strings.Contains(got, "╌") || strings.Contains(got, "↑") {
		t.Errorf("near:\n%s", got)
	}
	c = chart.Chart{To: 10 * time.Second, Low: 98, High: 100, Axis: 5, Label: number,
		Lines: []chart.Line{{Points: steps(100, 99)}}}
	c.Thresholds = []chart.Threshold{{Value: 50, Label: "good ≥ 50"}}
	if got := draw(c, 40, 6, false); !strings.Contains(got, "good ≥ 50 ↓") || !strings.Contains(got, "  98│") {
		t.Errorf("below:\n%s", got)
	}
}

// TestEqualThresholds writes the labels of equal thresholds one below the other.
func TestEqualThresholds(t *testing.T) {
	c := chart.Chart{To: 10 * time.Second, Low: 90, High: 100,
		Thresholds: []chart.Threshold{{Value: 99, Label: "one"}, {Value: 99, Label: "two"},
			{Value: 99, Label: "three"}}}
	got := draw(c, 40, 6, false)
	for _, label := range []string{"one", "two", "three"} {
		if !strings.Contains(got, label) {
			t.Errorf("%s is not there:\n%s", label, got)
		}
	}
}

// TestRandomValues draws random values; where there is a value, its column has a dot.
func TestRandomValues(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(-1000, 1e6),
		rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, 1e300, 1e-300}))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "n")
		var values []float64
		for range n {
			values = append(values, value.Draw(t, "value"))
		}
		c := chart.Chart{
			From: time.Duration(rapid.IntRange(-5, 5).Draw(t, "from")) * time.Second,
			To:   time.Duration(rapid.IntRange(-5, 40).Draw(t, "to")) * time.Second,
			Low:  value.Draw(t, "low"), High: value.Draw(t, "high"), Axis: rapid.IntRange(-1, 9).Draw(t, "axis"),
			Label:      number,
			Lines:      []chart.Line{{Points: steps(values...), Dotted: rapid.Bool().Draw(t, "dotted")}},
			Thresholds: []chart.Threshold{{Value: value.Draw(t, "threshold"), Label: "here"}},
			Marks:      []chart.Mark{{At: time.Second}},
		}
		draw(c, rapid.IntRange(0, 60).Draw(t, "w"), rapid.IntRange(0, 20).Draw(t, "h"), rapid.Bool().Draw(t, "ascii"))
	})
}

func TestEveryValueIsVisible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(2, 50).Draw(t, "w")
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e5), 1, 2*w).Draw(t, "values")
		c := chart.Chart{To: time.Duration(len(values)) * time.Second, High: 1,
			Lines: []chart.Line{{Points: steps(values...)}}}
		rows := strings.Split(draw(c, w, 5, false), "\n")
		for x := range w {
			seen := false
			for _, r := range rows {
				if line := []rune(r); x < len(line) && line[x] >= 0x2801 && line[x] <= 0x28ff {
					seen = true
				}
			}
			if !seen {
				t.Fatalf("column %d of %d is empty for %v", x, w, values)
			}
		}
	})
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  string
	}{
		{0, "········"}, {1e-9, "▏·······"}, {0.5, "████····"}, {0.55, "████▍···"}, {1, "████████"}, {7, "████████"},
		{-1, "········"}, {math.NaN(), ""},
	} {
		on := canvas.New(8, 1, theme.None())
		chart.Bar(on.All(), 0, 0, 8, c.share, theme.Plain)
		same(t, fmt.Sprint(c.share), strings.Join(on.Lines(), ""), c.want)
	}
}
