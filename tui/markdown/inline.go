package markdown

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"

	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// glyph is one styled rune.
type glyph struct {
	r     rune
	style theme.Style
}

// inline returns the text of a block: words, code, emphasis and links.
func (r renderer) inline(parent ast.Node, base theme.Style) []glyph {
	var all []glyph
	put := func(text string, style theme.Style) {
		for _, c := range text {
			all = append(all, glyph{c, style})
		}
	}
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			put(unescape(n.Value(r.source)), base)
			if n.SoftLineBreak() || n.HardLineBreak() {
				put(" ", base)
			}
		case *ast.String:
			put(string(n.Value), base)
		case *ast.CodeSpan:
			put(r.raw(n), base|theme.Info)
		case *ast.Emphasis:
			all = append(all, r.inline(n, base|theme.Bold)...)
		case *ast.Link:
			all = append(all, r.inline(n, base)...)
			put(" ("+string(n.Destination)+")", base)
		case *ast.AutoLink:
			put(string(n.URL(r.source)), base)
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				put(string(segment.Value(r.source)), base)
			}
		default:
			all = append(all, r.inline(n, base)...)
		}
	}
	return all
}

// raw returns the text of a code span.
func (r renderer) raw(code ast.Node) string {
	var b strings.Builder
	for n := code.FirstChild(); n != nil; n = n.NextSibling() {
		if t, ok := n.(*ast.Text); ok {
			b.Write(t.Value(r.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// unescape resolves backslash escapes and character references.
func unescape(text []byte) string {
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(text))))
}

// flow breaks a text between words.
func flow(text []glyph, width int) []Line {
	runes := make([]rune, len(text))
	for i, g := range text {
		runes[i] = g.r
	}
	var lines []Line
	for _, words := range wrap.Words(runes, width) {
		var line Line
		for i, w := range words {
			if i > 0 {
				space := glyph{' ', text[w.From-1].style}
				line = line.add(space)
			}
			for _, g := range text[w.From:w.To] {
				line = line.add(g)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// add appends a glyph, to the last span if it has the same style.
func (l Line) add(g glyph) Line {
	if n := len(l); n > 0 && l[n-1].Style == g.style {
		l[n-1].Text += string(g.r)
		return l
	}
	return append(l, Span{g.style, string(g.r)})
}
