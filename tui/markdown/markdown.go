// Package markdown lays out Markdown for a terminal: CommonMark and tables, as the texts of
// scenarios use them. The parser is goldmark; the layout never exceeds the given width.
package markdown

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"coalmine/tui/canvas"
	"coalmine/tui/theme"
)

// Span is a part of a line in one style.
type Span struct {
	Style theme.Style
	Text  string
}

// Line is one line of a terminal.
type Line []Span

// Draw draws the line.
func (l Line) Draw(a canvas.Area, x, y int) {
	for _, s := range l {
		x = a.Text(x, y, s.Style, s.Text)
	}
}

// Styled returns the line for a terminal of a theme.
func (l Line) Styled(t *theme.Theme) string {
	var b strings.Builder
	for _, s := range l {
		style := t.Style(s.Style)
		b.WriteString(style.Styled(s.Text))
	}
	return b.String()
}

// String returns the line without styles.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// minWidth is the least width of a text, however deep it is indented.
const minWidth = 4

// Render lays out a text in lines of at most width columns, or of 8 if that is more.
func Render(source string, width int) []Line {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\t", "    ")
	r := renderer{source: []byte(source)}
	parser := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser()
	return r.blocks(parser.Parse(text.NewReader(r.source)), max(8, width), true)
}

type renderer struct{ source []byte }

// blocks lays out the children of a node, with a blank line between them if loose is set.
func (r renderer) blocks(parent ast.Node, width int, loose bool) []Line {
	var lines []Line
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		block := r.block(n, width)
		if loose && len(lines) > 0 && len(block) > 0 {
			lines = append(lines, nil)
		}
		lines = append(lines, block...)
	}
	return lines
}

func (r renderer) block(n ast.Node, width int) []Line {
	switch n := n.(type) {
	case *ast.Heading:
		style := theme.Bold
		if n.Level == 1 {
			style |= theme.Accent
		}
		return flow(r.inline(n, style), width)
	case *ast.List:
		return r.list(n, width)
	case *ast.Blockquote:
		return indent(r.blocks(n, max(minWidth, width-2), true), "│ ", "│ ")
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		return r.code(n, theme.Info, width)
	case *ast.HTMLBlock:
		return r.code(n, theme.Muted, width)
	case *ast.ThematicBreak:
		return []Line{{{theme.Muted, strings.Repeat("─", width)}}}
	case *extast.Table:
		return r.table(n, width)
	}
	return flow(r.inline(n, theme.Plain), width)
}

func (r renderer) list(list *ast.List, width int) []Line {
	var lines []Line
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		bullet := "• "
		if list.IsOrdered() {
			bullet = fmt.Sprintf("%d%c ", number, list.Marker)
			number++
		}
		if !list.IsTight && len(lines) > 0 {
			lines = append(lines, nil)
		}
		hang := strings.Repeat(" ", canvas.Width(bullet))
		block := r.blocks(item, max(minWidth, width-len(hang)), !list.IsTight)
		if len(block) == 0 {
			block = []Line{nil}
		}
		lines = append(lines, indent(block, bullet, hang)...)
	}
	return lines
}

// indent puts a prefix before the first line and another one before the rest. Blank lines stay
// blank.
func indent(lines []Line, first, rest string) []Line {
	for i, l := range lines {
		prefix := rest
		if i == 0 {
			prefix = first
		}
		if len(l) > 0 || i == 0 {
			lines[i] = append(Line{{theme.Accent, prefix}}, l...)
		}
	}
	return lines
}

// code lays out the lines of a block as they are. A line that is too long continues below, indented
// further than it starts.
func (r renderer) code(n ast.Node, style theme.Style, width int) []Line {
	var lines []Line
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		line := strings.TrimRight(string(segment.Value(r.source)), " \n")
		for j, part := range breakCode(line, width-2) {
			if j > 0 || part != "" || i > 0 {
				lines = append(lines, Line{{theme.Plain, "  "}, {style, part}})
			}
		}
	}
	return lines
}

// breakCode breaks a line of code, if possible after a space.
func breakCode(line string, width int) []string {
	var parts []string
	hang := strings.Repeat(" ", min(len(line)-len(strings.TrimLeft(line, " "))+4, width/2))
	prefix := ""
	for canvas.Width(prefix+line) > width {
		n, used := 0, canvas.Width(prefix)
		space := 0
		for i, c := range line {
			if used += canvas.RuneWidth(c); used > width {
				break
			}
			if n = i + len(string(c)); c == ' ' && strings.TrimSpace(line[:i]) != "" {
				space = n
			}
		}
		if space > 0 {
			n = space
		}
		n = max(n, len(string([]rune(line)[:1])))
		parts = append(parts, strings.TrimRight(prefix+line[:n], " "))
		prefix, line = hang, strings.TrimLeft(line[n:], " ")
	}
	return append(parts, prefix+line)
}
