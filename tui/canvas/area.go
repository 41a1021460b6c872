package canvas

import (
	"coalmine/tui/theme"
)

// Area is a rectangle of a canvas. Its own columns and lines are counted from 0.
type Area struct {
	on         *Canvas
	x, y, w, h int
}

// Size is the area's width and height.
func (a Area) Size() (width, height int) { return a.w, a.h }

// Width of the area.
func (a Area) Width() int { return a.w }

// Height of the area.
func (a Area) Height() int { return a.h }

// ASCII tells whether the terminal has no Unicode.
func (a Area) ASCII() bool { return a.on.ASCII }

// Sub is a rectangle of the area, as much of it as lies within.
func (a Area) Sub(x, y, w, h int) Area {
	x0, y0 := min(max(0, x), a.w), min(max(0, y), a.h)
	x1, y1 := min(max(x0, x+w), a.w), min(max(y0, y+h), a.h)
	return Area{a.on, a.x + x0, a.y + y0, x1 - x0, y1 - y0}
}

// Top is the upper part of n lines, and what remains.
func (a Area) Top(n int) (top, rest Area) {
	n = min(max(0, n), a.h)
	return a.Sub(0, 0, a.w, n), a.Sub(0, n, a.w, a.h-n)
}

// Bottom is the lower part of n lines, and what remains.
func (a Area) Bottom(n int) (rest, bottom Area) {
	n = min(max(0, n), a.h)
	return a.Sub(0, 0, a.w, a.h-n), a.Sub(0, a.h-n, a.w, n)
}

// Left is the left part of n columns, and what remains.
func (a Area) Left(n int) (left, rest Area) {
	n = min(max(0, n), a.w)
	return a.Sub(0, 0, n, a.h), a.Sub(n, 0, a.w-n, a.h)
}

// Pad leaves out columns on both sides.
func (a Area) Pad(n int) Area { return a.Sub(n, 0, a.w-2*n, a.h) }

// Text writes a text on line y from column x on, and returns the column after it. What has no place is cut off.
func (a Area) Text(x, y int, s theme.Style, text string) int {
	if y < 0 || y >= a.h {
		return x + Width(text)
	}
	for _, r := range text {
		x = a.Rune(x, y, s, r)
	}
	return x
}

// Rune writes one rune and returns the column after it.
func (a Area) Rune(x, y int, s theme.Style, r rune) int {
	w := RuneWidth(r)
	if w == 0 {
		if x > 0 && x <= a.w && y >= 0 && y < a.h && r > 0xa0 && a.at(x-1, y).r != 0 && len(a.at(x-1, y).combining) < 16 {
			a.at(x-1, y).combining += string(r)
		}
		return x
	}
	if y < 0 || y >= a.h || x < 0 || x+w > a.w {
		return x + w
	}
	a.clearWide(x, y)
	a.clearWide(x+w-1, y)
	*a.at(x, y) = cell{r: r, style: s}
	if w == 2 {
		*a.at(x+1, y) = cell{r: 0, style: s}
	}
	return x + w
}

// clearWide takes away a wide rune that a cell is half of.
func (a Area) clearWide(x, y int) {
	i := (a.y+y)*a.on.width + a.x + x
	row := (a.y + y) * a.on.width
	if a.on.cells[i].r == 0 && i > row {
		a.on.cells[i-1].r, a.on.cells[i-1].combining = ' ', ""
	}
	if i+1 < row+a.on.width && a.on.cells[i+1].r == 0 {
		a.on.cells[i+1].r = ' '
	}
}

func (a Area) at(x, y int) *cell { return &a.on.cells[(a.y+y)*a.on.width+a.x+x] }

// Right writes a text so that it ends before column x.
func (a Area) Right(x, y int, s theme.Style, text string) {
	a.Text(x-Width(text), y, s, text)
}

// Fill gives a part of a line one rune and one style.
func (a Area) Fill(x, y, n int, s theme.Style, r rune) {
	for i := max(0, x); i < min(x+n, a.w); i++ {
		a.Rune(i, y, s, r)
	}
}

// Restyle gives a part of a line another style and leaves its runes.
func (a Area) Restyle(x, y, n int, s theme.Style) {
	if y < 0 || y >= a.h {
		return
	}
	for i := max(0, x); i < min(x+n, a.w); i++ {
		a.at(i, y).style = s
	}
}

// Clear blanks the area.
func (a Area) Clear(s theme.Style) {
	for y := range a.h {
		a.Fill(0, y, a.w, s, ' ')
	}
}
