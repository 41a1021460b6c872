package chart

import (
	"math"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Bar fills a share of n columns of a line, in eighths. A share above zero is always visible; the
// rest is dotted.
func Bar(a canvas.Area, x, y, n int, share float64, s theme.Style) {
	if n < 1 || math.IsNaN(share) {
		return
	}
	a.Fill(x, y, n, theme.Muted, '·')
	eighths := int(min(1, max(0, share))*float64(n)*8 + 0.5)
	if share > 0 {
		eighths = max(1, eighths)
	}
	a.Fill(x, y, eighths/8, s, '█')
	if rest := eighths % 8; rest > 0 {
		a.Rune(x+eighths/8, y, s, []rune("▏▎▍▌▋▊▉")[rest-1])
	}
}
