package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coalmine/lab/event"
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

// line writes parts one after the other, without trailing blanks.
func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.b.WriteByte('\n')
}

// section opens a part of the report: a blank line, a title and a faint remark on its right.
func (p *page) section(title, remark string) {
	p.line()
	p.spread(" "+p.in(bold, title), length(title)+1, remark, faint)
}

// spread writes a left part of n columns and a right part at the right edge.
func (p *page) spread(left string, n int, right string, t tone) {
	right = cut(right, max(0, p.width-n-3))
	p.line(left, strings.Repeat(" ", max(1, p.width-n-length(right)-1)), p.in(t, right))
}

// wrapped writes text in lines that are indented by the given columns.
func (p *page) wrapped(indent int, t tone, text string) {
	for _, l := range wrap(text, p.width-indent-1) {
		p.line(strings.Repeat(" ", indent), p.in(t, l))
	}
}

// length counts columns; the reports' own signs are all one column wide.
func length(s string) int { return utf8.RuneCountInString(s) }

// clean makes text of a learner or of a tool safe for a terminal: no control characters, no line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// cut shortens cleaned text to n columns.
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

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.FieldsFunc(glue(clean(text)), func(r rune) bool { return r == ' ' }) {
		for length(word) > width { // longer than a line: break it
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
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
		lines[i] = strings.ReplaceAll(lines[i], string(stuck), " ")
	}
	return lines
}

// stuck stands for a space at which a line must not break.
const stuck = '\u00a0'

// glue keeps numbers and their units together: 12 480, 25 %, 49 s.
func glue(s string) string {
	r := []rune(s)
	for i := 1; i+1 < len(r); i++ {
		next := r[i+1]
		unit := next == '%' || next == 's' && (i+2 == len(r) || !unicode.IsLetter(r[i+2]))
		if r[i] == ' ' && unicode.IsDigit(r[i-1]) && (unit || unicode.IsDigit(next)) {
			r[i] = stuck
		}
	}
	return string(r)
}

func left(s string, n int) string {
	s = cut(s, n)
	return s + strings.Repeat(" ", n-length(s))
}

func right(s string, n int) string {
	s = cut(s, n)
	return strings.Repeat(" ", n-length(s)) + s
}

// clock writes a time since the run's start as 02:31, from an hour on as 1:02:31.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// span writes a length of time: 29 s, 4 min 10 s.
func span(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// number groups thousands by a thin gap, as in 12 480.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// percent writes a share, with a decimal below ten where it says something.
func percent(share float64) string {
	p := share * 100
	if p > 0 && p < 9.95 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// bar draws a share of n columns in eighths. A share above nothing is always visible.
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

func at(s *event.Seconds) string {
	if s == nil {
		return "–"
	}
	return clock(time.Duration(*s))
}
