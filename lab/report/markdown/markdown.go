// Package markdown writes Markdown as code hosts and editors show it. Foreign text stays text: it
// becomes no link, no markup and no HTML, and mentions no user.
package markdown

import (
	"io"
	"strings"

	"coalmine/lab/format"
)

// Page collects the lines of a document.
type Page struct{ b strings.Builder }

// Flush writes the document.
func (p *Page) Flush(w io.Writer) error {
	_, err := io.WriteString(w, strings.TrimLeft(p.b.String(), "\n"))
	return err
}

// Heading starts a part; level 1 is the document's title. The text is Markdown, as in all methods:
// pass foreign text through [Text].
func (p *Page) Heading(level int, text string) {
	p.b.WriteString("\n" + strings.Repeat("#", level) + " " + text + "\n")
}

// Paragraph writes a paragraph, unless it is empty.
func (p *Page) Paragraph(text string) {
	if text != "" {
		p.b.WriteString("\n" + text + "\n")
	}
}

// List writes one item a line.
func (p *Page) List(items ...string) {
	if len(items) > 0 {
		p.b.WriteString("\n- " + strings.Join(items, "\n- ") + "\n")
	}
}

// Table writes a table. Titles that start with > are those of columns of numbers, which are aligned
// right.
func (p *Page) Table(titles []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.b.WriteByte('\n')
	rule := make([]string, len(titles))
	heads := make([]string, len(titles))
	for i, t := range titles {
		heads[i], rule[i] = t, "---"
		if number, ok := strings.CutPrefix(t, ">"); ok {
			heads[i], rule[i] = number, "---:"
		}
	}
	p.row(heads)
	p.row(rule)
	for _, r := range rows {
		p.row(r)
	}
}

func (p *Page) row(cells []string) {
	p.b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// special are the characters that start markup. A backslash makes them plain
// (spec.commonmark.org/0.31.2, backslash escapes).
const special = "\\`*_{}[]<>#|~$&!"

// Text makes one line of plain text of foreign text.
func Text(s string) string {
	s = format.Clean(s)
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(special, r), i == 0 && strings.ContainsRune("+-=:.", r), (r == '.' || r == ')') &&
			numbered(s[:i]) && (i+1 == len(s) || s[i+1] == ' '):
			b.WriteByte('\\')
		case r == '@': // a backslash does not keep a host from mentioning the user after it
			b.WriteString("@<!-- -->")
			continue
		// nor may it become a link
		case r == ':' && strings.HasPrefix(s[i:], "://"), r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"):
			b.WriteString("<!-- -->")
		}
		b.WriteRune(r)
	}
	return b.String()
}

// numbered reports whether text is only a number: with a dot it would start a list.
func numbered(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Strong makes text bold; it must not be empty.
func Strong(text string) string { return "**" + text + "**" }
