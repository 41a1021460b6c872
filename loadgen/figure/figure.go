// Package figure writes numbers for people: counts, shares, rates and times, each with as many digits as say something.
package figure

import (
	"fmt"
	"strconv"
	"time"
)

// Number groups thousands by a gap, as in 12 480.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// Count is a number of things: 1 request, 12 480 requests.
func Count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Percent writes a share: 25 %, 1.5 %, 0.052 %.
func Percent(share float64) string {
	p := share * 100
	switch {
	case p == 0 || p >= 9.95 && (p <= 99.05 || p == 100):
		return fmt.Sprintf("%.0f %%", p)
	case p > 99.995:
		return ">99.99 %"
	case p > 99.05:
		return strconv.FormatFloat(p, 'f', 2, 64) + " %"
	case p >= 0.095:
		return fmt.Sprintf("%.1f %%", p)
	case p >= 0.00095:
		return fmt.Sprintf("%.2g %%", p)
	}
	return "<0.001 %"
}

// Rate writes a number per second, in up to five columns.
func Rate(perSecond float64) string {
	switch {
	case perSecond < 0.095:
		return fmt.Sprintf("%.2f", perSecond)
	case perSecond < 9.95:
		return fmt.Sprintf("%.1f", perSecond)
	case perSecond < 9_999.5:
		return fmt.Sprintf("%.0f", perSecond)
	case perSecond < 99_950:
		return fmt.Sprintf("%.1fk", perSecond/1000)
	}
	return fmt.Sprintf("%.0fk", perSecond/1000)
}

// Time writes a time with its unit and three digits: 13 µs, 1.25 ms, 4.07 s.
func Time(d time.Duration) string {
	unit, name := time.Microsecond, "µs"
	switch {
	case d >= time.Second:
		unit, name = time.Second, "s"
	case d >= time.Millisecond:
		unit, name = time.Millisecond, "ms"
	}
	n := float64(d) / float64(unit)
	if n >= 100 || unit == time.Microsecond {
		return fmt.Sprintf("%.0f %s", n, name)
	}
	return fmt.Sprintf("%.3g %s", n, name)
}

// Millis writes a time in milliseconds without their name, in up to five columns; from ten seconds on in seconds, with theirs.
func Millis(d time.Duration) string {
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
