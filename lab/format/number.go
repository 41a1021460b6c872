package format

import (
	"math"
	"strconv"
)

// integer is a count of any signed type.
type integer interface {
	~int | ~int32 | ~int64
}

// Number groups the thousands of n by a space: 12 480.
func Number[N integer](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// Count is a number of things: 1 reply, 12 480 replies.
func Count[N integer](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Plural is [Count] for nouns whose plural ends in s: 1 run, 2 runs.
func Plural[N integer](n N, noun string) string { return Count(n, noun, noun+"s") }

// Percent formats a share of 0 to 1 as the package comment says. Shares outside of that range, such
// as an error budget spent twice over, have two significant digits below 10 % and none after the
// point above.
func Percent(share float64) string {
	p := share * 100
	switch {
	case math.IsNaN(p):
		return Missing
	case p < 0:
		return "-" + Percent(-share)
	case p == 0:
		return "0 %"
	case p < 0.0005:
		return "<0.001 %"
	case p > 99.9995 && p < 100:
		return ">99.999 %"
	}
	return strconv.FormatFloat(p, 'f', decimals(p), 64) + " %"
}

// decimals is how many digits after the point a percentage gets.
func decimals(p float64) int {
	distance := p
	if p <= 100 {
		distance = min(p, 100-p)
	}
	switch {
	case distance == 0, distance >= 9.95:
		return 0
	case distance >= 0.995:
		return 1
	case distance >= 0.0995:
		return 2
	}
	return 3
}

// Rate formats a number per second in at most five columns: 0.05, 9.5, 1 200, 12.5k.
func Rate(perSecond float64) string {
	switch {
	case math.IsNaN(perSecond):
		return Missing
	case perSecond == 0:
		return "0"
	case perSecond < 0.095:
		return strconv.FormatFloat(perSecond, 'f', 2, 64)
	case perSecond < 9.95:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	case perSecond < 9_999.5:
		return Number(int64(math.Round(perSecond)))
	case perSecond < 99_950:
		return strconv.FormatFloat(perSecond/1000, 'f', 1, 64) + "k"
	}
	return strconv.FormatFloat(perSecond/1000, 'f', 0, 64) + "k"
}

// Value formats a metric's value with four significant digits, and with an exponent only where the
// digits alone would be hard to read.
func Value(v float64) string { return significant(v, 4) }

// Bound formats a threshold with all its digits.
func Bound(v float64) string { return significant(v, 15) }

// ValueAgainst formats a value next to its bound, with as many digits as it takes to tell the two
// apart: 98.996 next to 99, not 99 next to 99.
func ValueAgainst(v, bound float64) string {
	limit := Bound(bound)
	for digits := 4; ; digits++ {
		if s := significant(v, digits); s != limit || v == bound || digits == 15 {
			return s
		}
	}
}

func significant(v float64, digits int) string {
	if a := math.Abs(v); a >= 1e15 || a > 0 && a < 1e-6 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	if math.Abs(v) >= math.Pow10(digits) {
		rounded = math.Round(v)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
