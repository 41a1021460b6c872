// Package pane draws parts of screens: each function draws a state onto an area. What does not fit
// is cut off at the end, so the most important comes first.
package pane

import (
	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Header draws a line with a title and a remark at its right end, and returns the area below it.
func Header(a canvas.Area, title, remark string) canvas.Area {
	a.Fill(0, 0, a.Width(), theme.Muted, '─')
	x := a.Text(1, 0, theme.Bold, " "+title+" ")
	if remark != "" && x+canvas.Width(remark)+3 <= a.Width() {
		a.Right(a.Width()-1, 0, theme.Muted, " "+remark+" ")
	}
	_, body := a.Top(1)
	return body.Pad(1)
}

// Bar draws the line at the top of a screen.
func Bar(a canvas.Area, left, right string) {
	a.Fill(0, 0, a.Width(), theme.Bar, ' ')
	room := a.Width() - canvas.Width(right) - 4
	a.Text(1, 0, theme.Bar|theme.Bold, canvas.Truncate(left, room))
	a.Right(a.Width()-1, 0, theme.Bar, right)
}

// Key is a key with what it does, for the line at the bottom of a screen.
type Key struct{ Key, Action string }

// Footer draws as many keys as fit, and at the right end those of every screen.
func Footer(a canvas.Area, keys ...Key) {
	end := a.Width() - 1
	for _, k := range []Key{{"q", "quit"}, {"?", "keys"}} {
		end -= k.width()
		k.draw(a, end)
		end -= 2
	}
	drawKeys(a, end, keys)
}

// TypingFooter is [Footer] while letters are typed, so that q and ? are none of the window's keys.
func TypingFooter(a canvas.Area, keys ...Key) { drawKeys(a, a.Width()-1, keys) }

func drawKeys(a canvas.Area, end int, keys []Key) {
	x := 1
	for _, k := range keys {
		if x+k.width() <= end {
			x = k.draw(a, x) + 2
		}
	}
}

func (k Key) width() int { return canvas.Width(k.Key) + 1 + canvas.Width(k.Action) }

func (k Key) draw(a canvas.Area, x int) int {
	x = a.Text(x, 0, theme.Accent|theme.Bold, k.Key)
	return a.Text(x+1, 0, theme.Muted, k.Action)
}
