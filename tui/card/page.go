package card

import (
	"coalmine/tui/canvas"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// page is a scrollable list of lines.
type page struct {
	width, height int
	lines         []line
}

// line is drawn at any position of an area. target is the index of the target it belongs to, -1 for
// none.
type line struct {
	draw   func(a canvas.Area, y int)
	target int
}

func (p *page) add(draw func(a canvas.Area, y int)) { p.lines = append(p.lines, line{draw, -1}) }

func (p *page) text(x int, s theme.Style, text string) {
	p.add(func(a canvas.Area, y int) { a.Text(x, y, s, canvas.Truncate(text, a.Width()-x)) })
}

func (p *page) wrapped(x int, s theme.Style, text string) {
	for _, l := range wrap.Text(text, p.width-x-1) {
		p.text(x, s, l)
	}
}

// setSymbol adds a symbol in front of an existing line.
func (p *page) setSymbol(i, x int, s theme.Style, symbol string) {
	if i >= len(p.lines) {
		return
	}
	text := p.lines[i].draw
	p.lines[i].draw = func(a canvas.Area, y int) {
		text(a, y)
		a.Text(x, y, s, symbol)
	}
}

func (p *page) section(title, remark string) {
	p.add(func(canvas.Area, int) {})
	p.add(func(a canvas.Area, y int) {
		a.Text(1, y, theme.Bold, title)
		a.Right(a.Width()-1, y, theme.Muted, canvas.Truncate(remark, a.Width()-canvas.Width(title)-4))
	})
}

// setTarget assigns the lines from one on to a target.
func (p *page) setTarget(from, target int) {
	for i := from; i < len(p.lines); i++ {
		p.lines[i].target = target
	}
}

// firstLine returns where the page starts if it is scrolled no further than necessary to show a
// target.
func (p *page) firstLine(target int) int {
	from, to := 0, 0
	for i, l := range p.lines {
		if target >= 0 && l.target == target {
			if to == 0 {
				from = i
			}
			to = i + 1
		}
	}
	first := 0
	if to > p.height-1 {
		first = min(from, to+1-p.height)
	}
	return max(0, min(first, len(p.lines)-p.height))
}

// draw shows the page from its line first on, with a mark beside the lines of a target.
func (p *page) draw(a canvas.Area, first, target int) {
	for y := range min(a.Height(), len(p.lines)-first) {
		l := p.lines[first+y]
		l.draw(a, y)
		if target >= 0 && l.target == target {
			a.Rune(1, y, theme.Accent|theme.Bold, '▌')
		}
	}
	if first+a.Height() < len(p.lines) {
		a.Rune(a.Width()-1, a.Height()-1, theme.Accent, '↓')
	}
	if first > 0 {
		a.Rune(a.Width()-1, 0, theme.Accent, '↑')
	}
}
