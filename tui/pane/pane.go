// Package pane draws the parts of a screen: each function takes what is known and an area, and draws it there. What does not
// fit is left out from the end, so each says first what matters most.
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

// Footer draws as many keys as fit, and at the right end those that every screen has.
func Footer(a canvas.Area, keys ...Key) {
	end := a.Width() - 1
	for _, k := range []Key{{"q", "leave"}, {"?", "keys"}} {
		end -= k.width()
		k.draw(a, end)
		end -= 2
	}
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

// Wrap breaks a text between words into lines of at most so many columns.
func Wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range splitWords(text) {
		w := canvas.Width(word)
		for w > width && width > 1 { // longer than a line: break it
			if used > 0 {
				lines, line, used = append(lines, line), "", 0
			}
			n := fitting(word, width)
			lines, word = append(lines, word[:n]), word[n:]
			w = canvas.Width(word)
		}
		switch {
		case used == 0:
			line, used = word, w
		case used+1+w <= width:
			line, used = line+" "+word, used+1+w
		default:
			lines = append(lines, line)
			line, used = word, w
		}
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}

// splitWords splits at spaces, but keeps numbers with their units: 12 480, 25 %, 49 s.
func splitWords(text string) []string {
	r := []rune(text)
	var all []string
	from := 0
	cut := func(to int) {
		if to > from {
			all = append(all, string(r[from:to]))
		}
		from = to + 1
	}
	for i, c := range r {
		if c == ' ' && !(i > 0 && i+1 < len(r) && digit(r[i-1]) && unit(r[i+1:])) {
			cut(i)
		}
	}
	cut(len(r))
	return all
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

func unit(r []rune) bool {
	return r[0] == '%' || digit(r[0]) || r[0] == 's' && (len(r) == 1 || r[1] == ' ' || r[1] == ',')
}

// fitting is how many bytes of a word fill a width; at least one rune.
func fitting(word string, width int) int {
	used := 0
	for i, r := range word {
		w := canvas.RuneWidth(r)
		if used+w > width && i > 0 {
			return i
		}
		used += w
	}
	return len(word)
}
