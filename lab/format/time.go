package format

import (
	"fmt"
	"strconv"
	"time"
)

// duration is a [time.Duration] or a type made of one, such as event.Seconds.
type duration interface{ ~int64 }

// Clock formats a time since the start of a run: 02:31, from an hour on 1:02:31.
func Clock[D duration](d D) string {
	// Rounding first undoes what a time lost on its way through a log of decimal seconds.
	s := int(time.Duration(d).Round(time.Millisecond) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Offset formats a time relative to another: +02:31, −00:05.
func Offset[D duration](d D) string {
	if time.Duration(d).Round(time.Millisecond) <= -time.Second {
		return "−" + Clock(-d)
	}
	return "+" + Clock(max(0, d))
}

// Duration formats a length of time: 29 s, 4 min 10 s.
func Duration[D duration](d D) string {
	s := int(time.Duration(d).Round(time.Second) / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// OptionalClock is [Clock] of a time that may be missing.
func OptionalClock[D duration](d *D) string {
	if d == nil {
		return Missing
	}
	return Clock(*d)
}

// OptionalDuration is [Duration] of a length of time that may be missing.
func OptionalDuration[D duration](d *D) string {
	if d == nil {
		return Missing
	}
	return Duration(*d)
}

// Latency formats how long a request took: 13 µs, 1.25 ms, 4.07 s.
func Latency(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 999_500*time.Microsecond:
		return threeDigits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return threeDigits(d.Seconds()) + " s"
}

func threeDigits(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Millis formats a latency for a table whose heading names the unit, in at most five columns:
// milliseconds, and from ten seconds on seconds with their unit.
func Millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 9.995:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 99.95:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	case ms < 9_999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64)
	case ms < 99_950:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
	}
	return strconv.FormatFloat(ms/1000, 'f', 0, 64) + "s"
}

// Setting formats a configured duration as one writes it in a manifest, without its zero parts: 2m,
// not 2m0s.
func Setting(d time.Duration) string {
	s := d.String()
	if len(s) > 3 && s[len(s)-3:] == "m0s" {
		s = s[:len(s)-2]
	}
	if len(s) > 3 && s[len(s)-3:] == "h0m" {
		s = s[:len(s)-2]
	}
	return s
}
