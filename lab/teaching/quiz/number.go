package quiz

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/format"
)

// NumberText writes a number of a question.
func NumberText(n float64) string {
	return strconv.FormatFloat(math.Round(n*1000)/1000, 'f', -1, 64)
}

// readable is NumberText with the thousands of whole numbers in groups, as reports write them.
func readable(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
		return format.Number(int64(n))
	}
	return NumberText(n)
}

// ParseNumber reads the number of an answer, such as "25", "25 %", "1 234", "0,5" or, if the unit is
// s, "1m30s", "1 min 30 s" and "01:30". What follows the number must be the unit, or a word of it.
func ParseNumber(text, unit string) (float64, bool) {
	text = strings.TrimSpace(text)
	if unit == "s" {
		compact := strings.ReplaceAll(strings.Join(strings.Fields(text), ""), "min", "m")
		if d, err := time.ParseDuration(compact); err == nil {
			return d.Seconds(), true
		}
		if m := regexp.MustCompile(`^(\d{1,3}):(\d\d)$`).FindStringSubmatch(text); m != nil {
			minutes, _ := strconv.Atoi(m[1])
			seconds, _ := strconv.Atoi(m[2])
			return float64(60*minutes + seconds), true
		}
	}
	m := regexp.MustCompile(`^([+\-−]?[0-9][0-9\pZ.,]*)(.*)$`).FindStringSubmatch(text)
	if m == nil || !isUnit(m[2], unit) {
		return 0, false
	}
	n, err := strconv.ParseFloat(plainNumber(m[1]), 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// isUnit reports whether what follows a number is the question's unit, the first word of it, or
// nothing.
func isUnit(rest, unit string) bool {
	rest = plain(rest)
	first, _, _ := strings.Cut(unit, " ")
	return rest == "" || unit == "" && rest == "%" || rest == plain(unit) || rest == plain(first)
}

// plainNumber turns the ways in which people write numbers into one. A comma is that of thousands if
// all groups have three digits and the first is not 0, and else the decimal one.
func plainNumber(s string) string {
	s = strings.Replace(strings.Join(strings.Fields(s), ""), "−", "-", 1)
	s = strings.TrimRight(s, ".,")
	if regexp.MustCompile(`^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$`).MatchString(s) {
		return strings.ReplaceAll(s, ",", "")
	}
	return strings.Replace(s, ",", ".", 1)
}
