// Package canvas is a grid of styled cells that views draw on. What is drawn beyond an area's edge is cut off, so a view can
// never be larger than the terminal.
package canvas

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"coalmine/tui/theme"
)

// cell is one column of one line. A wide rune is followed by a cell with rune 0.
type cell struct {
	r     rune
	style theme.Style
	// combining are the runes of no width that follow r.
	combining string
}

// Canvas is a grid of cells.
type Canvas struct {
	// ASCII is set for terminals without Unicode, so that those who draw dots can draw signs instead.
	ASCII bool

	width, height int
	cells         []cell
}

// New returns a blank canvas.
func New(width, height int) *Canvas {
	c := &Canvas{width: max(0, width), height: max(0, height)}
	c.cells = make([]cell, c.width*c.height)
	for i := range c.cells {
		c.cells[i].r = ' '
	}
	return c
}

// All is the area of the whole canvas.
func (c *Canvas) All() Area { return Area{c, 0, 0, c.width, c.height} }

// String writes the canvas for a terminal of a theme: exactly its height in lines, without a line break at the end.
func (c *Canvas) String(t *theme.Theme) string {
	b := make([]byte, 0, len(c.cells)*2)
	for y := range c.height {
		if y > 0 {
			b = append(b, '\n')
		}
		b = c.line(b, t, c.cells[y*c.width:(y+1)*c.width])
	}
	return string(b)
}

func (c *Canvas) line(b []byte, t *theme.Theme, cells []cell) []byte {
	style := theme.Plain
	for i := range cells {
		d := &cells[i]
		if d.r == 0 {
			continue
		}
		if d.style != style {
			style = d.style
			b = t.Append(b, style)
		}
		if t.ASCII && d.r >= utf8.RuneSelf {
			b = append(b, asciiFallback(d.r))
			if i+1 < len(cells) && cells[i+1].r == 0 {
				b = append(b, ' ') // a wide rune's second column
			}
			continue
		}
		b = utf8.AppendRune(b, d.r)
		b = append(b, d.combining...)
	}
	if style != theme.Plain {
		b = t.Append(b, theme.Plain)
	}
	return b
}

// Lines are the canvas as plain text, without blanks at the ends of lines.
func (c *Canvas) Lines() []string {
	lines := strings.Split(c.String(theme.None()), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// Width is the number of columns that a text takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += RuneWidth(r)
	}
	return n
}

// RuneWidth is the number of columns that a rune takes: 0 for those that are not drawn and those that join the one before.
func RuneWidth(r rune) int {
	switch {
	case r >= ' ' && r < 0x7f:
		return 1
	case r < 0xa0 || r == utf8.RuneError:
		return 0
	case r < 0x300 || r >= 0x2010 && r < 0x2028 || r >= 0x2190 && r < 0x2600 || r >= 0x2800 && r < 0x2900:
		return 1 // Latin, punctuation, arrows, boxes, blocks, braille
	case !unicode.IsPrint(r) && !unicode.Is(unicode.M, r):
		return 0
	}
	return ansi.StringWidthWc(string(r))
}

// Truncate shortens a text to n columns; what is cut off is told by an ellipsis.
func Truncate(s string, n int) string {
	if len(s) <= n && isASCII(s) || Width(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	used := 0
	for i, r := range s {
		if w := RuneWidth(r); used+w > n-1 {
			return s[:i] + "…"
		} else {
			used += w
		}
	}
	return s
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// asciiFallback is the sign that stands for a rune on terminals without Unicode: one column each.
func asciiFallback(r rune) byte {
	// Signs, each followed by what stands for it.
	const signs = "─-━-═=╌-┄-┈.│|┃|║|┊|╎|╷|╵|╴-╶-┌+┐+└+┘+├+┤+┬+┴+┼+╭+╮+╰+╯+·.•*….–-—-−-‘'’'“\"”\"×x≤<≥>≈~→>←<↑^↓v" +
		"‖=▲^△^▼v▽v◆#◇o■#□o●o○o◐%★*☆*✓+✗x▶>▸>◀<◂<⏸=░.▒:▓#█#▏|▎|▍|▌|▋|▊|▉|▐|▁_▂_▃_▄=▅=▆#▇#°o±+µu"
	for i := 0; i < len(signs); {
		sign, n := utf8.DecodeRuneInString(signs[i:])
		if sign == r {
			return signs[i+n]
		}
		i += n + 1
	}
	return '?'
}
