package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// tone is the meaning that a colour carries. Every tone is told by a sign or a word too.
type tone string

const (
	plain tone = ""
	bold  tone = "1"
	faint tone = "2"
	warn  tone = "33"
	bad   tone = "31"
	blue  tone = "36"
)

// page collects the lines of a view.
type page struct {
	width int
	color bool
	b     strings.Builder
}

func (p *page) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (p *page) in(t tone, s string) string {
	if !p.color || t == plain || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}

// line writes parts one after the other, without trailing blanks.
func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.ReplaceAll(strings.Join(parts, ""), stuck, " "), " "))
	p.b.WriteByte('\n')
}

// spread writes text at the left edge and a faint remark at the right one.
func (p *page) spread(t tone, text, remark string) {
	text = cut(text, p.width-2)
	remark = cut(remark, max(0, p.width-length(text)-4))
	p.line(" ", p.in(t, text), strings.Repeat(" ", max(1, p.width-2-length(text)-length(remark))), p.in(faint, remark))
}

func (p *page) section(title, remark string) {
	p.line()
	p.spread(bold, title, remark)
}

// wrapped writes text in lines with an indent.
func (p *page) wrapped(indent int, t tone, text string) {
	line := ""
	flush := func() {
		if line != "" {
			p.line(strings.Repeat(" ", indent), p.in(t, line))
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

// stuck stands for a blank at which a line does not break, until it is written.
const stuck = "\u00a0"

// clean makes names of others safe for a terminal: no control characters, no line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if string(r) != stuck && (r == utf8.RuneError || !unicode.IsPrint(r)) {
			return -1
		}
		return r
	}, s)
}

// length counts columns; the view's own signs are all one column wide.
func length(s string) int { return utf8.RuneCountInString(s) }

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

func left(s string, n int) string {
	s = cut(s, n)
	return s + strings.Repeat(" ", n-length(s))
}

func right(s string, n int) string { return strings.Repeat(" ", max(0, n-length(s))) + s }

// number groups thousands by a gap, as in 12 480, that does not break.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + stuck + s[i:]
	}
	return s
}

// count is a number of things.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1" + stuck + one
	}
	return number(n) + stuck + many
}

// percent writes a share with as many decimals as say something.
func percent(share float64) string {
	p := share * 100
	switch {
	case p == 0 || p >= 9.95:
		return fmt.Sprintf("%.0f%s%%", p, stuck)
	case p >= 0.095:
		return fmt.Sprintf("%.1f%s%%", p, stuck)
	case p >= 0.00095:
		return fmt.Sprintf("%.2g%s%%", p, stuck)
	}
	return "<0.001" + stuck + "%"
}

// perSecond writes a rate in five columns.
func perSecond(r float64) string {
	switch {
	case r < 0.095:
		return fmt.Sprintf("%.2f", r)
	case r < 9.95:
		return fmt.Sprintf("%.1f", r)
	case r < 9_999.5:
		return fmt.Sprintf("%.0f", r)
	case r < 99_950:
		return fmt.Sprintf("%.1fk", r/1000)
	}
	return fmt.Sprintf("%.0fk", r/1000)
}

// millis writes a time in milliseconds in five columns; from ten seconds on in seconds, with their unit.
func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 9.995:
		return fmt.Sprintf("%.2f", ms)
	case ms < 99.95:
		return fmt.Sprintf("%.1f", ms)
	case ms < 9_999.5:
		return fmt.Sprintf("%.0f", ms)
	case ms < 99_950:
		return fmt.Sprintf("%.1fs", ms/1000)
	}
	return fmt.Sprintf("%.0fs", ms/1000)
}

// span writes a time with its unit and three digits: 13 µs, 1.25 ms, 4.07 s.
func span(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d >= u.size {
			n := float64(d) / float64(u.size)
			if n >= 100 {
				return fmt.Sprintf("%.0f%s%s", n, stuck, u.name)
			}
			return fmt.Sprintf("%.3g%s%s", n, stuck, u.name)
		}
	}
	return fmt.Sprintf("%d%sµs", d.Microseconds(), stuck)
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
