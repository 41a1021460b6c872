package pane

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Clock writes a time since the run's start as 02:31, from an hour on as 1:02:31.
func Clock(d time.Duration) string {
	s := int(d.Seconds())
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
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

// Number groups thousands by a gap, as in 12 480.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// Percent writes a share, with a decimal where it says something.
func Percent(share float64) string {
	switch p := share * 100; {
	case math.IsNaN(p):
		return "–"
	case p == 0:
		return "0 %"
	case p < 0.095:
		return "<0.1 %"
	case p < 9.95:
		return fmt.Sprintf("%.1f %%", p)
	case p < 100 && p >= 99.5:
		return fmt.Sprintf("%.1f %%", math.Floor(p*10)/10) // 99.96 % is not all
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// Latency writes what somebody waited: 87 ms, 1.4 s.
func Latency(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case d <= 0:
		return "–"
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 9950:
		return fmt.Sprintf("%.1f s", ms/1000)
	default:
		return fmt.Sprintf("%.0f s", ms/1000)
	}
}

// Rate writes requests per second.
func Rate(r float64) string {
	switch {
	case r == 0:
		return "–"
	case r < 9.95:
		return fmt.Sprintf("%.1f", r)
	}
	return Number(int(math.Round(r)))
}

// figure writes a metric's value or bound as short as it can be told.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6 || a > 0 && a < 1e-3:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 1000:
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
