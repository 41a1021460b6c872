package report

import (
	"io"
	"strings"
	"unicode/utf8"

	"coalmine/lab/format"
)

// page collects the lines of a report.
type page struct {
	width int
	paint
	b strings.Builder
}

func (p *page) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

// line writes its parts one after the other, without trailing blanks.
func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.b.WriteByte('\n')
}

// section starts a part of the report: a blank line, a title, and a remark at the right edge.
func (p *page) section(title, remark string) {
	p.line()
	p.spread(" "+p.in(bold, title), length(title)+1, remark, faint)
}

// spread writes a left part of n columns, and a right part at the right edge.
func (p *page) spread(left string, n int, right string, t style) {
	right = cut(right, max(0, p.width-n-3))
	p.line(left, strings.Repeat(" ", max(1, p.width-n-length(right)-1)), p.in(t, right))
}

// wrapped writes text in lines with the given indentation.
func (p *page) wrapped(indent int, t style, text string) {
	for _, l := range wrap(text, p.width-indent-1) {
		p.line(strings.Repeat(" ", indent), p.in(t, l))
	}
}

// length counts columns; the reports' own symbols are all one column wide.
func length(s string) int { return utf8.RuneCountInString(s) }

// cut shortens cleaned text to n columns.
func cut(s string, n int) string {
	s = format.Clean(s)
	if length(s) <= n {
		return s
	}
	if n <= 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.FieldsFunc(format.Glue(format.Clean(text)), func(r rune) bool { return r == ' ' }) {
		if r := []rune(word); len(r) > width { // longer than a line: break it
			if line != "" {
				lines, line = append(lines, line), ""
			}
			for ; len(r) > width; r = r[width:] {
				lines = append(lines, string(r[:width]))
			}
			word = string(r)
		}
		switch {
		case line == "":
			line = word
		case length(line)+1+length(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = format.Unglue(lines[i])
	}
	return lines
}

func left(s string, n int) string {
	s = cut(s, n)
	return s + strings.Repeat(" ", n-length(s))
}

func right(s string, n int) string {
	s = cut(s, n)
	return strings.Repeat(" ", n-length(s)) + s
}

// bar draws a share of n columns in eighths. A share above 0 is always visible.
func bar(share float64, n int) string {
	eighths := int(min(1, max(0, share))*float64(n)*8 + 0.5)
	if share > 0 {
		eighths = max(1, eighths)
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}
