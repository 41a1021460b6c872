package accesslog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Formats that can be read.
const (
	// FormatCommon is the common log format: client, identity, user, [time], "request", status, bytes. What follows is left out.
	FormatCommon = "common"
	// FormatCombined is the common log format with "referer" and "user agent" after it. What follows is left out.
	FormatCombined = "combined"
	// FormatJSON is one JSON object on each line, with the names that nginx, Caddy, Traefik, Envoy, Linkerd and others use.
	FormatJSON = "json"
)

// Formats lists the formats that can be read.
func Formats() []string { return []string{FormatCommon, FormatCombined, FormatJSON} }

// Log is what a file holds.
type Log struct {
	// Format is the one that was asked for, or found.
	Format string
	// Lines that could be read, ordered by time; those of the same instant are in the order of the file.
	Lines []Line
	// Broken counts those that could not.
	Broken Broken
}

// sort brings the lines in the order of their times: servers write them when an answer ends.
func (l *Log) sort() {
	byTime := func(a, b Line) int { return a.At.Compare(b.At) }
	if !slices.IsSortedFunc(l.Lines, byTime) {
		slices.SortStableFunc(l.Lines, byTime)
	}
}

// keptBroken is how many broken lines are kept, and clipped how many bytes of one.
const (
	maxBrokenKept = 5
	maxBrokenText = 120
)

// Broken counts the lines of a log that could not be read.
type Broken struct {
	Count int
	// First holds the first few of them.
	First []BrokenLine
}

// BrokenLine is a line that could not be read.
type BrokenLine struct {
	// Number of the line in its file, from 1.
	Number int
	Reason string
	// Text is the line's beginning, as it stands in the file.
	Text string
}

// add counts a broken line.
func (b *Broken) add(number int, why lineError, text []byte) {
	b.Count++
	if len(b.First) < maxBrokenKept {
		b.First = append(b.First, BrokenLine{Number: number, Reason: string(why), Text: clip(text)})
	}
}

// clip keeps the beginning of a text, without half a character at its end.
func clip(text []byte) string {
	if len(text) <= maxBrokenText {
		return string(text)
	}
	end := maxBrokenText
	for end > maxBrokenText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end]) + "…"
}

// String is "line 7: reason: "text"", fit for a terminal.
func (b BrokenLine) String() string {
	return fmt.Sprintf("line %d: %s: %s", b.Number, b.Reason, strconv.Quote(b.Text))
}

// String lists the broken lines that were kept, one on a line, after their number; "" when there are none.
func (b Broken) String() string {
	if b.Count == 0 {
		return ""
	}
	var s strings.Builder
	if b.Count == 1 {
		s.WriteString("1 line of the log could not be read")
	} else {
		fmt.Fprintf(&s, "%d lines of the log could not be read", b.Count)
	}
	for _, l := range b.First {
		s.WriteString("\n" + l.String())
	}
	if more := b.Count - len(b.First); more > 0 {
		fmt.Fprintf(&s, "\nand %d more", more)
	}
	return s.String()
}

// lineError says why a line cannot be read.
type lineError string

func (f lineError) Error() string { return string(f) }

// Faults of lines.
const (
	errLong     lineError = "is over 64 KiB long"
	errTime     lineError = "has no time that can be read"
	errYear     lineError = "has a time that is not of 1990 to 2200"
	errRequest  lineError = "has no request"
	errHTTP     lineError = "its request is not HTTP"
	errPath     lineError = "its request asks for no path"
	errTarget   lineError = "its path has a space or a control character"
	errEscape   lineError = "its path has a % that no two hexadecimal digits follow"
	errStatus   lineError = "its status is no number of three digits"
	errBytes    lineError = "its size is no number"
	errCLF      lineError = "is not of the common log format"
	errCombined lineError = "ends before referer and user agent"
	errJSON     lineError = "is no JSON object"
	errNoTime   lineError = "has no time: it stands in none of the fields that are known for it"
	errNoPath   lineError = "has no method or no path: they stand in none of the fields that are known for them"
	errUnknown  lineError = "is of no known format"
)
