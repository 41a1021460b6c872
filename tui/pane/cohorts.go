package pane

import (
	"cmp"
	"maps"
	"slices"

	"coalmine/lab/format"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Cohorts draws the harm to each cohort so far next to the unguarded run's, the worst first.
func Cohorts(a canvas.Area, s recording.State, unguarded *Comparison) {
	without := map[string]int{}
	if unguarded != nil {
		without = unguarded.Now.HarmBy
	}
	names := slices.Sorted(maps.Keys(without))
	for name := range s.HarmBy {
		if without[name] == 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.HarmBy[b], s.HarmBy[a]), cmp.Compare(without[b], without[a]), cmp.Compare(a, b))
	})
	if len(names) == 0 {
		a.Text(0, 0, theme.Muted, "no harm")
		return
	}
	scale := 1
	for _, name := range names {
		scale = max(scale, s.HarmBy[name], without[name])
	}
	for i, name := range names {
		y := 2 * i
		a.Text(0, y, theme.Plain, canvas.Truncate(name, 14))
		row(a, y, s.HarmBy[name], scale, theme.Bad)
		if unguarded != nil {
			a.Text(2, y+1, theme.Muted, "unguarded")
			row(a, y+1, without[name], scale, theme.Unguarded)
		}
	}
}

func row(a canvas.Area, y, n, scale int, s theme.Style) {
	a.Right(23, y, theme.Plain, format.Number(n))
	chart.Bar(a, 24, y, a.Width()-24, float64(n)/float64(scale), s)
}
