package accesslog

import (
	"bytes"
	"strconv"
	"time"
)

// Accepted years. A time outside of them was parsed incorrectly and would make a replay of decades.
const firstYear, lastYear = 1990, 2200

// parseTime parses the times that servers write: 02/Jan/2006:15:04:05 -0700, RFC 3339 and similar
// layouts, and numbers since 1970. Times without a zone are in UTC.
func parseTime(text []byte) (time.Time, lineError) {
	if text == nil {
		return time.Time{}, errTime
	}
	t, ok := parseCLFTime(text)
	if !ok {
		t, ok = parseEpoch(text)
	}
	if !ok {
		t, ok = parseLayouts(text)
	}
	switch {
	case !ok:
		return time.Time{}, errTime
	case t.Year() < firstYear || t.Year() > lastYear:
		return time.Time{}, errYear
	}
	return t, ""
}

// months are the abbreviations of the common log format, month n at 3·n.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseCLFTime parses 02/Jan/2006:15:04:05 -0700. It takes most of the time for a line, and is much
// faster than [time.Parse].
func parseCLFTime(text []byte) (time.Time, bool) {
	if len(text) != len("02/Jan/2006:15:04:05 -0700") ||
		text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ' {
		return time.Time{}, false
	}
	month := bytes.Index([]byte(months), text[3:6])
	if month < 0 || month%3 != 0 || text[21] != '+' && text[21] != '-' {
		return time.Time{}, false
	}
	var n [7]int
	for i, at := range [...][2]int{{0, 2}, {7, 11}, {12, 14}, {15, 17}, {18, 20}, {22, 24}, {24, 26}} {
		number, ok := digits(text[at[0]:at[1]])
		if !ok {
			return time.Time{}, false
		}
		n[i] = int(number)
	}
	day, year, hour, minute, second, east, eastMinute := n[0], n[1], n[2], n[3], n[4], n[5], n[6]
	if hour > 23 || minute > 59 || second > 60 || east > 23 || eastMinute > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month/3+1), day, hour, minute, second, 0, time.UTC)
	if day == 0 || t.Day() != day && second < 60 { // rejects April 31; a leap second may end the day
		return time.Time{}, false
	}
	offset := time.Duration(east)*time.Hour + time.Duration(eastMinute)*time.Minute
	if text[21] == '+' {
		offset = -offset
	}
	return t.Add(offset), true
}

// parseEpoch parses a number since 1970, in seconds, milliseconds, microseconds or nanoseconds
// depending on its size. Seconds have 11 digits until the year 5138, and milliseconds have 12 from
// 1973 on.
func parseEpoch(text []byte) (time.Time, bool) {
	if bytes.ContainsAny(text, "eE") {
		seconds, err := strconv.ParseFloat(string(text), 64)
		if err != nil || !(seconds >= 0 && seconds < 1e18) {
			return time.Time{}, false
		}
		text = strconv.AppendFloat(nil, seconds, 'f', 6, 64)
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	n, err := strconv.ParseUint(string(whole), 10, 63)
	if err != nil {
		return time.Time{}, false
	}
	unit := int64(time.Nanosecond)
	switch digits := len(whole); {
	case digits <= 11:
		unit = int64(time.Second)
	case digits <= 14:
		unit = int64(time.Millisecond)
	case digits <= 17:
		unit = int64(time.Microsecond)
	}
	part, ok := fractionOf(unit, fraction)
	perSecond := int64(time.Second) / unit
	return time.Unix(int64(n)/perSecond, int64(n)%perSecond*unit+part).UTC(), ok
}

// fractionOf returns the fraction of a unit given by the digits after the decimal point, in
// nanoseconds.
func fractionOf(unit int64, fraction []byte) (int64, bool) {
	if len(fraction) == 0 {
		return 0, true
	}
	fraction = fraction[:min(len(fraction), 9)] // nanoseconds of a second
	n, ok := digits(fraction)
	scale := int64(1)
	for range fraction {
		scale *= 10
	}
	return n * unit / scale, ok
}

// layouts are similar to RFC 3339; Caddy and others write them if configured to.
var layouts = [...]string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05",
	"2006/01/02 15:04:05",
	"02/Jan/2006:15:04:05 -0700", // with a fraction, as Apache's msec_frac
	"02/Jan/2006:15:04:05",       // HAProxy
	"02/Jan/2006 15:04:05",       // Python's http.server
}

// parseLayouts parses dates with hyphens or slashes; all layouts accept fractions of a second.
// Envoy writes brackets around the time.
func parseLayouts(text []byte) (time.Time, bool) {
	text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte{'['}), []byte{']'})
	if len(text) < len("2006-01-02") || len(text) > 64 {
		return time.Time{}, false
	}
	if text[2] == '/' && !bytes.Contains([]byte(months), text[3:6]) { // time.Parse ignores case
		return time.Time{}, false
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
