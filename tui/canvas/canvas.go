// Package canvas is a grid of styled cells that views draw on. What exceeds an area is cut off, so
// a view is never larger than the terminal.
package canvas

import (
	"strings"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"coalmine/tui/theme"
)

// Canvas is a grid of cells in a theme.
type Canvas struct {
	theme  *theme.Theme
	buffer *uv.Buffer
}

// New returns a blank canvas.
func New(width, height int, t *theme.Theme) *Canvas {
	return &Canvas{t, uv.NewBuffer(max(0, width), max(0, height))}
}

// Renew returns a blank canvas, reusing c if it has that size and theme. c may be nil.
func (c *Canvas) Renew(width, height int, t *theme.Theme) *Canvas {
	if c == nil || c.theme != t || c.buffer.Width() != width || c.buffer.Height() != height {
		return New(width, height, t)
	}
	c.buffer.Clear()
	return c
}

// All returns the area of the whole canvas.
func (c *Canvas) All() Area { return Area{c, 0, 0, c.buffer.Width(), c.buffer.Height()} }

// String returns the canvas for a terminal: as many lines as its height, without a final line
// break.
func (c *Canvas) String() string { return c.buffer.Render() }

// Lines returns the canvas as plain text, without trailing spaces.
func (c *Canvas) Lines() []string {
	lines := strings.Split(c.buffer.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// Width returns the number of columns of a text.
func Width(s string) int { return ansi.StringWidthWc(s) }

// RuneWidth returns the number of columns of a rune: 0 for control and combining characters.
func RuneWidth(r rune) int {
	if r >= ' ' && r < 0x7f {
		return 1
	}
	return ansi.StringWidthWc(string(r))
}

// Truncate shortens a text to n columns, with an ellipsis if something is cut off.
func Truncate(s string, n int) string {
	if n <= 0 {
		return ""
	}
	return ansi.TruncateWc(s, n, "…")
}

// asciiFallback returns the character that replaces a rune on terminals without Unicode.
func asciiFallback(r rune) byte {
	// Symbols, each followed by its replacement.
	const symbols = "─-━-═=╌-┄-┈.│|┃|║|┊|╎|╷|╵|╴-╶-┌+┐+└+┘+├+┤+┬+┴+┼+╭+╮+╰+╯+·.•*….–-—-−-‘'’'“\"”\"×x≤<≥>≈~→>←<↑^↓v" +
		"‖=▲^△^▼v▽v◆#◇o■#□o●o○o◐%★*☆*✓+✗x▶>▸>◀<◂<⏸=░.▒:▓#█#▏|▎|▍|▌|▋|▊|▉|▐|▁_▂_▃_▄=▅=▆#▇#°o±+µu"
	for i := 0; i < len(symbols); {
		symbol, n := utf8.DecodeRuneInString(symbols[i:])
		if symbol == r {
			return symbols[i+n]
		}
		i += n + 1
	}
	return '?'
}
