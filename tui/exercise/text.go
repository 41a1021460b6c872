package exercise

import (
	"coalmine/tui/canvas"
	"coalmine/tui/markdown"
	"coalmine/tui/theme"
)

// text is scrollable Markdown.
type text struct {
	source        string
	first         int
	width, height int
	lines         []markdown.Line
}

// maxTextWidth keeps lines short enough to read.
const maxTextWidth = 100

// size lays out the text for an area.
func (t *text) size(width, height int) {
	width = min(width, maxTextWidth)
	if width != t.width || t.lines == nil {
		t.lines = markdown.Render(t.source, width)
	}
	t.width, t.height = width, height
	t.scroll(0)
}

// set replaces the text.
func (t *text) set(source string) {
	t.source, t.lines = source, nil
	if t.width > 0 {
		t.size(t.width, t.height)
	}
}

func (t *text) scroll(by int) {
	t.first = max(0, min(t.first+by, len(t.lines)-t.height))
}

// key scrolls; it reports whether it handled the key.
func (t *text) key(k string) bool {
	page := max(1, t.height-2)
	by, ok := map[string]int{
		"down": 1, "j": 1, "up": -1, "k": -1, "pgdown": page, "space": page, "ctrl+d": page / 2, "pgup": -page,
		"ctrl+u": -page / 2,
		"home":   -len(t.lines), "g": -len(t.lines), "end": len(t.lines), "G": len(t.lines),
	}[k]
	if ok {
		t.scroll(by)
	}
	return ok
}

// draw draws as much as fits. Arrows at the right edge show that there is more.
func (t *text) draw(a canvas.Area) {
	for y := range min(a.Height(), len(t.lines)-t.first) {
		t.lines[t.first+y].Draw(a, 0, y)
	}
	if t.first > 0 {
		a.Right(a.Width(), 0, theme.Accent, "↑")
	}
	if t.first+a.Height() < len(t.lines) {
		a.Right(a.Width(), a.Height()-1, theme.Accent, "↓")
	}
}
