// Package format writes numbers, times and shares for people, and makes text of others safe to show. Every report uses it, so
// that one figure looks the same in all of them. It knows no report and no run.
package format

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"coalmine/lab/event"
)

// Clean makes text of a learner or of a tool safe for a line of a report: no control characters, no line breaks, nothing that
// turns the direction of the text around it.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == nbsp:
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// nbsp is a space at which a line does not break.
const nbsp = '\u00a0'

// Glue keeps numbers and their units together where lines break: 12 480, 25 %, 49 s, 4 min.
func Glue(s string) string {
	r := []rune(s)
	for i := 1; i+1 < len(r); i++ {
		if r[i] == ' ' && unicode.IsDigit(r[i-1]) && (unicode.IsDigit(r[i+1]) || unit(r[i+1:])) {
			r[i] = nbsp
		}
	}
	return string(r)
}

// unit tells whether text begins with one.
func unit(r []rune) bool {
	n := 0
	for n < len(r) && unicode.IsLetter(r[n]) {
		n++
	}
	switch string(r[:n]) {
	case "":
		return r[0] == '%'
	case "s", "ms", "µs", "min":
		return true
	}
	return false
}

// Unglue takes the spaces of [Glue] back.
func Unglue(s string) string { return strings.ReplaceAll(s, string(nbsp), " ") }

// Clock writes a time since the run's start as 02:31, from an hour on as 1:02:31.
func Clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Since writes a time relative to another as +02:31 or −00:05.
func Since(d time.Duration) string {
	if d = d.Round(time.Second); d < 0 {
		return "−" + Clock(-d)
	}
	return "+" + Clock(d)
}

// Span writes a length of time: 29 s, 4 min 10 s.
func Span(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// Wait writes how long a request took: 850 µs, 12 ms, 1.3 s.
func Wait(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Number groups thousands by a gap, as in 12 480.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// Percent writes a share, with a decimal below ten where it says something.
func Percent(share float64) string {
	p := share * 100
	if p > 0 && p < 9.95 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// Success writes a share of good answers: as many digits as it takes to tell it from 100 %.
func Success(share float64) string {
	switch p := share * 100; {
	case p >= 99.995 && share < 1:
		return fmt.Sprintf("%.3f %%", min(p, 99.999))
	case p > 90 && share < 1:
		return fmt.Sprintf("%.2f %%", p)
	case share == 1:
		return "100 %"
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// Plural counts things: 1 run, 2 runs.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", Number(n), what)
}

// None stands for what was not measured, or never happened.
const None = "–"

// At is [Clock] of a time that may be missing.
func At(s *event.Seconds) string {
	if s == nil {
		return None
	}
	return Clock(time.Duration(*s))
}

// After writes a length of time that may be missing in seconds.
func After(d *event.Seconds) string {
	if d == nil {
		return None
	}
	return fmt.Sprintf("%.0f s", time.Duration(*d).Seconds())
}
