package loadreport

import (
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coalmine/lab/format"
)

// style is an ANSI style. Text never relies on it: every style has a sign or a word too.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	warn  style = "33"
	bad   style = "31"
	blue  style = "36"
)

// page collects the lines of a report.
type page struct {
	width int
	color bool
	b     strings.Builder
}

func (p *page) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (p *page) styled(t style, s string) string {
	if !p.color || t == plain || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}

// line writes the concatenated parts without trailing spaces.
func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.ReplaceAll(strings.Join(parts, ""), noBreak, " "), " "))
	p.b.WriteByte('\n')
}

// spread writes text at the left margin and a faint remark at the right one.
func (p *page) spread(t style, text, remark string) {
	text = cut(text, p.width-2)
	remark = cut(remark, max(0, p.width-length(text)-4))
	p.line(" ", p.styled(t, text), strings.Repeat(" ", max(1, p.width-2-length(text)-length(remark))),
		p.styled(faint, remark))
}

func (p *page) section(title, remark string) {
	p.line()
	p.spread(bold, title, remark)
}

// wrapped writes text wrapped to the page's width, with an indent.
func (p *page) wrapped(indent int, t style, text string) {
	line := ""
	flush := func() {
		if line != "" {
			p.line(strings.Repeat(" ", indent), p.styled(t, line))
		}
		line = ""
	}
	for word := range strings.FieldsFuncSeq(clean(text), func(r rune) bool { return r == ' ' }) {
		word = cut(word, p.width-indent-1)
		if line != "" && indent+length(line)+1+length(word) >= p.width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}

// noBreak is a space at which a line does not break. It is written as an ordinary space.
const noBreak = "\u00a0"

// clean makes names from elsewhere safe for a terminal: no control characters, no line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if string(r) != noBreak && (r == utf8.RuneError || !unicode.IsPrint(r)) {
			return -1
		}
		return r
	}, s)
}

// length counts columns; all characters that the report itself uses are one column wide.
func length(s string) int { return utf8.RuneCountInString(s) }

// cut cleans text and shortens it to n columns.
func cut(s string, n int) string {
	s = clean(s)
	if length(s) <= n {
		return s
	}
	if n <= 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

func left(s string, n int) string {
	s = cut(s, n)
	return s + strings.Repeat(" ", n-length(s))
}

func right(s string, n int) string { return strings.Repeat(" ", max(0, n-length(s))) + s }

// keepTogether keeps a number and its unit on one line.
func keepTogether(figure string) string { return strings.ReplaceAll(figure, " ", noBreak) }

func number(n int64) string                  { return keepTogether(format.Number(n)) }
func count(n int64, one, many string) string { return keepTogether(format.Count(n, one, many)) }
func percent(share float64) string           { return keepTogether(format.Percent(share)) }
func span(d time.Duration) string            { return keepTogether(format.Latency(d)) }

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
