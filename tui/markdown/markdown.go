// Package markdown lays Markdown out for a terminal: headings, paragraphs, lists, code and what stands within lines. It is made
// for the texts of scenarios; what it does not know it shows as it is written.
package markdown

import (
	"strings"
	"unicode"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Span is a piece of a line of one look.
type Span struct {
	Style theme.Style
	Text  string
}

// Line is one line of a terminal.
type Line []Span

// Draw writes the line.
func (l Line) Draw(a canvas.Area, x, y int) {
	for _, s := range l {
		x = a.Text(x, y, s.Style, s.Text)
	}
}

// String is the line without its looks.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Render lays a text out in lines of at most a width.
func Render(text string, width int) []Line {
	w := &writer{width: max(8, width)}
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		w.take(strings.ReplaceAll(line, "\t", "    "))
	}
	w.end()
	for len(w.lines) > 0 && len(w.lines[len(w.lines)-1]) == 0 {
		w.lines = w.lines[:len(w.lines)-1]
	}
	return w.lines
}

// writer gathers blocks until they end.
type writer struct {
	width int
	lines []Line
	code  bool
	// indent and sign stand before a paragraph's first line, as much space before the others.
	indent          int
	sign, paragraph string
	// inList is set after an item: what is indented by as much belongs to it.
	inList bool
}

func (w *writer) take(line string) {
	trimmed := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(trimmed, "```"):
		w.end()
		w.code = !w.code
	case w.code:
		w.verbatim(line)
	case trimmed == "":
		w.end()
		w.blank()
	case strings.HasPrefix(line, "#"):
		w.heading(line)
	case strings.HasPrefix(trimmed, "|"), w.paragraph == "" && !w.inList && strings.HasPrefix(line, "    "):
		w.end()
		w.verbatim(line)
	default:
		w.text(line)
	}
}

// blank leaves one line free, and none at the begin.
func (w *writer) blank() {
	if n := len(w.lines); n > 0 && len(w.lines[n-1]) > 0 {
		w.lines = append(w.lines, nil)
	}
}

func (w *writer) heading(line string) {
	w.end()
	w.blank()
	title := strings.TrimLeft(line, "#")
	look := theme.Bold
	if len(line)-len(title) == 1 {
		look |= theme.Accent
	}
	w.flow(inline(strings.TrimSpace(title), look), 0, "")
	w.inList = false
}

// verbatim keeps a line's spaces. What is too long goes on in the next line.
func (w *writer) verbatim(line string) {
	room := w.width - 2
	for rest := strings.TrimRight(line, " "); ; {
		n := fitting([]rune(rest), room)
		w.lines = append(w.lines, Line{{theme.Plain, "  "}, {theme.Info, string([]rune(rest)[:n])}})
		if rest = string([]rune(rest)[n:]); rest == "" {
			return
		}
	}
}

func (w *writer) text(line string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if sign, rest, ok := item(line[indent:]); ok {
		w.end()
		w.indent, w.sign, w.paragraph, w.inList = indent, sign, rest, true
		return
	}
	if w.paragraph == "" {
		w.indent, w.sign = indent, ""
		if indent == 0 {
			w.inList = false
		}
		w.paragraph = strings.TrimSpace(line)
		return
	}
	w.paragraph += " " + strings.TrimSpace(line)
}

// item splits what begins an item of a list from its text.
func item(line string) (sign, text string, ok bool) {
	mark, rest, found := strings.Cut(line, " ")
	switch {
	case !found:
		return "", "", false
	case mark == "-" || mark == "*":
		return "• ", strings.TrimLeft(rest, " "), true
	}
	if number, dot := strings.CutSuffix(mark, "."); dot && number != "" && strings.Trim(number, "0123456789") == "" {
		return mark + " ", strings.TrimLeft(rest, " "), true
	}
	return "", "", false
}

// end writes the paragraph that was gathered.
func (w *writer) end() {
	if w.paragraph == "" {
		return
	}
	w.flow(inline(w.paragraph, theme.Plain), w.indent, w.sign)
	w.paragraph = ""
}

// flow breaks a text between words; a sign hangs before it.
func (w *writer) flow(text []glyph, indent int, sign string) {
	indent = min(indent, w.width/3)
	hang := indent + canvas.Width(sign)
	for i, l := range wrap(text, max(4, w.width-hang)) {
		lead := strings.Repeat(" ", hang)
		if i == 0 {
			lead = strings.Repeat(" ", indent) + sign
		}
		line := Line{}
		if lead != "" {
			line = append(line, Span{theme.Accent, lead})
		}
		w.lines = append(w.lines, append(line, spans(l)...))
	}
}

// glyph is one rune and its look.
type glyph struct {
	r     rune
	style theme.Style
}

// inline reads what stands within a text: code, strong and emphasised words, links.
func inline(text string, base theme.Style) []glyph {
	var all []glyph
	put := func(s string, look theme.Style) {
		for _, r := range s {
			all = append(all, glyph{r, look})
		}
	}
	for text != "" {
		sign, look := mark(text)
		if sign != "" {
			if inner, rest, ok := strings.Cut(text[len(sign):], sign); ok && inner != "" && inner[0] != ' ' {
				if sign == "`" {
					put(inner, base|look)
				} else {
					all = append(all, inline(inner, base|look)...)
				}
				text = rest
				continue
			}
		}
		if label, address, rest, ok := link(text); ok {
			put(label+" ("+address+")", base)
			text = rest
			continue
		}
		n := 1
		for n < len(text) && !strings.ContainsRune("`*[", rune(text[n])) {
			n++
		}
		put(text[:n], base)
		text = text[n:]
	}
	return all
}

func mark(text string) (sign string, look theme.Style) {
	switch {
	case text[0] == '`':
		return "`", theme.Info
	case strings.HasPrefix(text, "**"):
		return "**", theme.Bold
	case text[0] == '*':
		return "*", theme.Bold
	}
	return "", theme.Plain
}

func link(text string) (label, address, rest string, ok bool) {
	if text[0] != '[' {
		return "", "", "", false
	}
	label, rest, ok = strings.Cut(text[1:], "](")
	if !ok || strings.ContainsAny(label, "[]") {
		return "", "", "", false
	}
	address, rest, ok = strings.Cut(rest, ")")
	return label, address, rest, ok
}

// wrap breaks glyphs between words; a number stays with its percent sign.
func wrap(text []glyph, width int) [][]glyph {
	var lines [][]glyph
	for len(text) > 0 && text[0].r == ' ' {
		text = text[1:]
	}
	for len(text) > 0 {
		n, used, at := 0, 0, -1
		for n < len(text) && used+canvas.RuneWidth(text[n].r) <= width {
			if text[n].r == ' ' && n > 0 && !glued(text, n) {
				at = n
			}
			used += canvas.RuneWidth(text[n].r)
			n++
		}
		end := n
		if n < len(text) && text[n].r != ' ' && at > 0 {
			end = at
		}
		end = max(1, end)
		lines = append(lines, text[:end])
		for text = text[end:]; len(text) > 0 && text[0].r == ' '; {
			text = text[1:]
		}
	}
	return lines
}

func glued(text []glyph, i int) bool {
	return i > 0 && i+1 < len(text) && unicode.IsDigit(text[i-1].r) && text[i+1].r == '%'
}

func spans(line []glyph) []Span {
	var all []Span
	for _, g := range line {
		if n := len(all); n > 0 && all[n-1].Style == g.style {
			all[n-1].Text += string(g.r)
			continue
		}
		all = append(all, Span{g.style, string(g.r)})
	}
	return all
}

// fitting is how many runes fill a width, at least one of those there are.
func fitting(text []rune, width int) int {
	used := 0
	for i, r := range text {
		if used += canvas.RuneWidth(r); used > width && i > 0 {
			return i
		}
	}
	return len(text)
}
