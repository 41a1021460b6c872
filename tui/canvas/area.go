package canvas

import (
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"coalmine/tui/theme"
)

// Area is a rectangle of a canvas. Its columns and lines are counted from 0.
type Area struct {
	on         *Canvas
	x, y, w, h int
}

// Size returns the area's width and height.
func (a Area) Size() (width, height int) { return a.w, a.h }

// Width returns the area's width.
func (a Area) Width() int { return a.w }

// Height returns the area's height.
func (a Area) Height() int { return a.h }

// ASCII reports whether the terminal has no Unicode, so that views can draw other symbols.
func (a Area) ASCII() bool { return a.on.theme.ASCII }

// Sub returns the part of a rectangle that lies within the area.
func (a Area) Sub(x, y, w, h int) Area {
	x0, y0 := min(max(0, x), a.w), min(max(0, y), a.h)
	x1, y1 := min(max(x0, x+w), a.w), min(max(y0, y+h), a.h)
	return Area{a.on, a.x + x0, a.y + y0, x1 - x0, y1 - y0}
}

// Top returns the first n lines, and the rest.
func (a Area) Top(n int) (top, rest Area) {
	n = min(max(0, n), a.h)
	return a.Sub(0, 0, a.w, n), a.Sub(0, n, a.w, a.h-n)
}

// Bottom returns the last n lines, after the rest.
func (a Area) Bottom(n int) (rest, bottom Area) {
	n = min(max(0, n), a.h)
	return a.Sub(0, 0, a.w, a.h-n), a.Sub(0, a.h-n, a.w, n)
}

// Left returns the first n columns, and the rest.
func (a Area) Left(n int) (left, rest Area) {
	n = min(max(0, n), a.w)
	return a.Sub(0, 0, n, a.h), a.Sub(n, 0, a.w-n, a.h)
}

// Pad leaves out n columns on both sides.
func (a Area) Pad(n int) Area { return a.Sub(n, 0, a.w-2*n, a.h) }

// Text writes a text on line y from column x on, and returns the column after it. What exceeds the
// area is cut off.
func (a Area) Text(x, y int, s theme.Style, text string) int {
	style := a.on.theme.Style(s)
	for text != "" {
		cluster, width := text[:1], 1
		if text[0] < ' ' || text[0] >= 0x7f || len(text) > 1 && text[1] >= utf8.RuneSelf {
			cluster, width = ansi.FirstGraphemeCluster(text, ansi.WcWidth)
		}
		x = a.put(x, y, style, cluster, width)
		text = text[len(cluster):]
	}
	return x
}

// Rune writes one rune and returns the column after it.
func (a Area) Rune(x, y int, s theme.Style, r rune) int {
	return a.put(x, y, a.on.theme.Style(s), string(r), RuneWidth(r))
}

// put writes one grapheme cluster.
func (a Area) put(x, y int, style uv.Style, cluster string, width int) int {
	if y < 0 || y >= a.h || x < 0 || x+width > a.w || width == 0 {
		return x + width
	}
	if r, _ := utf8.DecodeRuneInString(cluster); a.ASCII() && r >= utf8.RuneSelf {
		cluster = string(asciiFallback(r))
		for ; width > 1; width-- {
			a.put(x+width-1, y, style, " ", 1)
		}
		a.put(x, y, style, cluster, 1)
		return x + width
	}
	for i := 1; i < width; i++ { // SetCell only clears a wide cell at x itself
		a.on.buffer.SetCell(a.x+x+i, a.y+y, nil)
	}
	a.on.buffer.SetCell(a.x+x, a.y+y, &uv.Cell{Content: cluster, Style: style, Width: width})
	return x + width
}

// Right writes a text so that it ends before column x.
func (a Area) Right(x, y int, s theme.Style, text string) {
	a.Text(x-Width(text), y, s, text)
}

// Fill repeats a rune n times.
func (a Area) Fill(x, y, n int, s theme.Style, r rune) {
	style, cluster, width := a.on.theme.Style(s), string(r), RuneWidth(r)
	for i := max(0, x); i < min(x+n, a.w); i++ {
		a.put(i, y, style, cluster, width)
	}
}
