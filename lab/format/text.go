package format

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// nbsp is a space at which a line does not break.
const nbsp = '\u00a0'

// Clean makes text from a manifest or a tool safe for one line of a report: it removes control and
// format characters, which could steer a terminal or turn the direction of the text around them,
// and replaces line breaks by spaces.
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

// Glue keeps numbers and their units on one line: 12 480, 25 %, 49 s, 4 min.
func Glue(s string) string {
	r := []rune(s)
	for i := 1; i+1 < len(r); i++ {
		if r[i] == ' ' && unicode.IsDigit(r[i-1]) && (unicode.IsDigit(r[i+1]) || startsWithUnit(r[i+1:])) {
			r[i] = nbsp
		}
	}
	return string(r)
}

func startsWithUnit(r []rune) bool {
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

// Unglue replaces the spaces of [Glue] by ordinary ones.
func Unglue(s string) string { return strings.ReplaceAll(s, string(nbsp), " ") }
