package pane

import (
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/series"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/theme"
)

// MarkerSymbol returns the symbol and the style of a marker.
func MarkerSymbol(k series.MarkerKind) (rune, theme.Style) {
	switch k {
	case series.MarkerRelease:
		return '●', theme.Accent
	case series.MarkerStep:
		return '↑', theme.Canary
	case series.MarkerFailedCheck:
		return '■', theme.Warn
	case series.MarkerRefused:
		return '✗', theme.Warn
	case series.MarkerHarm:
		return '▲', theme.Bad
	case series.MarkerDetected:
		return '◆', theme.Good
	case series.MarkerRollback:
		return '↓', theme.Good
	case series.MarkerRemoved:
		return '✗', theme.Bad
	case series.MarkerPromoting, series.MarkerPromoted:
		return '★', theme.Plain
	}
	return '·', theme.Muted
}

// markerRank decides which of several marks in one column is shown.
func markerRank(k series.MarkerKind) int {
	switch k {
	case series.MarkerHarm, series.MarkerRollback, series.MarkerPromoted:
		return 3
	case series.MarkerDetected, series.MarkerRelease, series.MarkerRemoved, series.MarkerRefused:
		return 2
	case series.MarkerFailedCheck:
		return 1
	}
	return 0
}

// TimeEdge is the number of columns to the left and right of the time line.
const TimeEdge = 7

// TimeLine draws the run from start to end in two lines: marks, and how far it was played. Future
// marks are faint.
func TimeLine(a canvas.Area, markers []series.Marker, now, end time.Duration) {
	line := a.Sub(TimeEdge, 0, a.Width()-2*TimeEdge, 2)
	w := line.Width()
	a.Text(1, 1, theme.Bold, format.Clock(now))
	a.Right(a.Width()-1, 1, theme.Muted, format.Clock(end))
	at := chart.Column(now, 0, end, w)
	line.Fill(0, 1, w, theme.Muted, '─')
	line.Fill(0, 1, at, theme.Accent, '━')
	line.Rune(at, 1, theme.Accent|theme.Bold, '●')
	best := map[int]int{}
	for _, m := range markers {
		x := chart.Column(m.At, 0, end, w)
		if r, ok := best[x]; ok && r >= markerRank(m.Kind) {
			continue
		}
		best[x] = markerRank(m.Kind)
		symbol, style := MarkerSymbol(m.Kind)
		if m.At > now {
			style = theme.Muted
		}
		line.Rune(x, 0, style, symbol)
	}
}

// TimeAt returns the time of a column of the time line; ok is false outside of it.
func TimeAt(x, width int, end time.Duration) (time.Duration, bool) {
	w := width - 2*TimeEdge
	if x -= TimeEdge; w < 2 || x < 0 || x >= w {
		return 0, false
	}
	return time.Duration(float64(end) * float64(x) / float64(w-1)), true
}
