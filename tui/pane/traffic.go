package pane

import (
	"maps"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
	"coalmine/tui/canvas"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// Row is one line of the matrix: a group of users, and the traffic that each version served to
// them.
type Row struct {
	Name string
	// Indent is set for a route below its cohort.
	Indent bool
	// Old and New are the versions' answers; Unserved are requests that never reached the service.
	Old, New, Unserved recording.Sum
}

// Rows sums up recent traffic by cohort, and by route below each cohort if routes is set. The first
// row is the total.
func Rows(r recording.Recent, keys []timeline.Key, baseline, version string, routes bool) []Row {
	row := func(name string, indent bool, keep func(timeline.Key) bool) Row {
		by := func(v string) recording.Sum {
			return r.Sum(func(k timeline.Key) bool {
				return k.Version == v && (v != "" || k.Workload == "") && keep(k)
			})
		}
		return Row{Name: name, Indent: indent, Old: by(baseline), New: by(version), Unserved: by("")}
	}
	byCohort := map[string]map[string]bool{}
	for _, k := range keys {
		if byCohort[k.Cohort] == nil {
			byCohort[k.Cohort] = map[string]bool{}
		}
		byCohort[k.Cohort][k.Route] = true
	}
	rows := []Row{row("all users", false, func(timeline.Key) bool { return true })}
	for _, cohort := range slices.Sorted(maps.Keys(byCohort)) {
		rows = append(rows, row(cohort, false, timeline.InCohort(cohort)))
		if !routes {
			continue
		}
		for _, route := range slices.Sorted(maps.Keys(byCohort[cohort])) {
			rows = append(rows, row(route, true, func(k timeline.Key) bool {
				return k.Cohort == cohort && k.Route == route
			}))
		}
	}
	return rows
}

// Column widths of one version in the matrix.
const (
	rateWidth  = 9
	badWidth   = 10
	p99Width   = 9
	sideWidth  = rateWidth + badWidth + p99Width
	matrixName = 18
)

// Traffic draws the matrix of cohorts and versions: requests per second, the share of bad requests,
// and the 99th percentile of the latency.
func Traffic(a canvas.Area, rows []Row, baseline, version string) {
	name := min(matrixName+12, max(10, a.Width()-2*sideWidth-2))
	for i, v := range []string{baseline + " old", version + " new"} {
		style := []theme.Style{theme.Primary, theme.Canary}[i]
		x := name + i*(sideWidth+1)
		a.Right(x+rateWidth, 0, style|theme.Bold, canvas.Truncate(v, rateWidth))
		a.Right(x+rateWidth+badWidth, 0, theme.Muted, "bad")
		a.Right(x+sideWidth, 0, theme.Muted, "p99")
	}
	a.Text(0, 0, theme.Muted, canvas.Truncate("req/s", name))
	for i, r := range rows {
		y := i + 1
		if y >= a.Height() {
			return
		}
		x, style := 0, theme.Plain
		if r.Indent {
			x, style = 2, theme.Muted
		}
		a.Text(x, y, style, canvas.Truncate(r.Name, name-x))
		drawSums(a, name, y, r.Old, r.Old)
		drawSums(a, name+sideWidth+1, y, r.New, r.Old)
	}
}

// drawSums draws one version's part of a row. Its p99 is marked if it is far above the other
// version's.
func drawSums(a canvas.Area, x, y int, s, other recording.Sum) {
	if s.N == 0 {
		a.Right(x+rateWidth, y, theme.Muted, "–")
		return
	}
	a.Right(x+rateWidth, y, theme.Plain, format.Rate(s.Rate()))
	bad := float64(s.Bad) / float64(s.N)
	text, heat := format.Percent(bad), badHeat(bad)
	if heat != theme.Plain {
		text = "!" + text
	}
	a.Right(x+rateWidth+badWidth, y, heat, " "+text)
	lag, slow := format.Latency(s.P99), theme.Plain
	if min(s.N, other.N) >= minP99Requests && s.P99 >= 2*other.P99 {
		slow, lag = latencyHeat(s, other), "!"+lag
	}
	a.Right(x+sideWidth, y, slow, " "+lag)
}

// minP99Requests is the number of requests from which a p99 is not decided by a single one.
const minP99Requests = 200

// badHeat shades a share of bad requests.
func badHeat(share float64) theme.Style {
	switch {
	case share >= 0.10:
		return theme.Heat3 | theme.Bold
	case share >= 0.03:
		return theme.Heat2
	case share >= 0.01:
		return theme.Heat1
	}
	return theme.Plain
}

// latencyHeat shades a p99 by its ratio to the other version's.
func latencyHeat(s, other recording.Sum) theme.Style {
	switch r := float64(s.P99) / float64(max(1, other.P99)); {
	case r >= 5:
		return theme.Heat3 | theme.Bold
	case r >= 2.5:
		return theme.Heat2
	}
	return theme.Heat1
}
