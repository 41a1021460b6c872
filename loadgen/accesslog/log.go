package accesslog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Supported formats.
const (
	// FormatCommon is the common log format: client, identity, user, [time], "request", status,
	// bytes. Further fields are ignored.
	FormatCommon = "common"
	// FormatCombined is the common log format followed by "referer" and "user agent". Further
	// fields are ignored.
	FormatCombined = "combined"
	// FormatJSON is one JSON object per line, with the field names that nginx, Caddy, Traefik,
	// Envoy, Linkerd and others use.
	FormatJSON = "json"
	// FormatEnvoy is the default text format of Envoy, or that of Istio.
	FormatEnvoy = "envoy"
	// FormatALB is the format of the Application Load Balancers of AWS.
	FormatALB = "alb"
)

// Formats lists the supported formats.
func Formats() []string {
	return []string{FormatCommon, FormatCombined, FormatJSON, FormatEnvoy, FormatALB}
}

// Log is the content of a log file.
type Log struct {
	// Format is the requested or detected format.
	Format string
	// Lines are the valid lines, ordered by time. Lines with equal times keep the order of the
	// file.
	Lines []Line
	// Broken counts the invalid lines.
	Broken Broken
}

// sort orders the lines by time. Servers write a line when the response ends.
func (l *Log) sort() {
	byTime := func(a, b Line) int { return a.At.Compare(b.At) }
	if !slices.IsSortedFunc(l.Lines, byTime) {
		slices.SortStableFunc(l.Lines, byTime)
	}
}

// maxBrokenKept is how many broken lines are kept, maxBrokenText how many bytes of each.
const (
	maxBrokenKept = 5
	maxBrokenText = 120
)

// Broken counts the lines of a log that could not be parsed.
type Broken struct {
	Count int
	// First holds the first few of them.
	First []BrokenLine
}

// BrokenLine is a line that could not be parsed.
type BrokenLine struct {
	// Number is the line number in the file, from 1.
	Number int
	Reason string
	// Text is the start of the line, as in the file.
	Text string
}

// add counts a broken line.
func (b *Broken) add(number int, why lineError, text []byte) {
	b.Count++
	if len(b.First) < maxBrokenKept {
		b.First = append(b.First, BrokenLine{Number: number, Reason: string(why), Text: clip(text)})
	}
}

// clip shortens a text without splitting a character.
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

// String returns `line 7: reason: "text"`, safe for a terminal.
func (b BrokenLine) String() string {
	return fmt.Sprintf("line %d: %s: %s", b.Number, b.Reason, strconv.Quote(b.Text))
}

// String returns the number of broken lines followed by those that were kept, one per line, or ""
// if there are none.
func (b Broken) String() string {
	if b.Count == 0 {
		return ""
	}
	var s strings.Builder
	if b.Count == 1 {
		s.WriteString("1 line of the log could not be parsed")
	} else {
		fmt.Fprintf(&s, "%d lines of the log could not be parsed", b.Count)
	}
	for _, l := range b.First {
		s.WriteString("\n" + l.String())
	}
	if more := b.Count - len(b.First); more > 0 {
		fmt.Fprintf(&s, "\nand %d more", more)
	}
	return s.String()
}

// lineError says why a line cannot be parsed.
type lineError string

func (f lineError) Error() string { return string(f) }

// Reasons for which a line cannot be parsed.
const (
	errLong     lineError = "is over 64 KiB long"
	errTime     lineError = "its time cannot be parsed"
	errYear     lineError = "its year is not between 1990 and 2200"
	errRequest  lineError = "has no request"
	errHTTP     lineError = "its request is not HTTP"
	errPath     lineError = "its request has no path"
	errTarget   lineError = "its path contains a space or a control character"
	errEscape   lineError = "its path contains a % that is not followed by two hexadecimal digits"
	errStatus   lineError = "its status is not a three-digit number"
	errBytes    lineError = "its size is not a number"
	errCLF      lineError = "is not in the common log format"
	errPrefix   lineError = "has an unknown prefix before the client"
	errCombined lineError = "ends before referer and user agent"
	errJSON     lineError = "is not a JSON object"
	errNoTime   lineError = "has no time in any of the known fields"
	errNoPath   lineError = "has no method or no path in any of the known fields"
	errEnvoy    lineError = "is not in the text format of Envoy or Istio"
	errALB      lineError = "is not in the format of an Application Load Balancer"
	errUnknown  lineError = "is not in a known format"
)
