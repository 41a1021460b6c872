package format_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"coalmine/lab/format"
)

func TestWords(t *testing.T) {
	for _, c := range [][2]string{
		{format.Clock(151 * time.Second), "02:31"},
		{format.Clock(2*time.Hour + 3*time.Second), "2:00:03"},
		{format.Since(65 * time.Second), "+01:05"},
		{format.Since(-100 * time.Second), "−01:40"},
		{format.Since(-400 * time.Millisecond), "+00:00"},
		{format.Span(29 * time.Second), "29 s"},
		{format.Span(120 * time.Second), "2 min"},
		{format.Span(250 * time.Second), "4 min 10 s"},
		{format.Wait(850 * time.Microsecond), "850 µs"},
		{format.Wait(12 * time.Millisecond), "12 ms"},
		{format.Wait(1300 * time.Millisecond), "1.3 s"},
		{format.Number(999), "999"},
		{format.Number(12480), "12 480"},
		{format.Number(-1234567), "-1 234 567"},
		{format.Percent(0), "0 %"},
		{format.Percent(0.014), "1.4 %"},
		{format.Percent(0.84), "84 %"},
		{format.Success(1), "100 %"},
		{format.Success(0.99999999), "99.999 %"},
		{format.Success(0.9928), "99.28 %"},
		{format.Success(0.76), "76.0 %"},
		{format.Success(0), "0.0 %"},
		{format.Plural(1, "run"), "1 run"},
		{format.Plural(1200, "run"), "1 200 runs"},
		{format.At(nil), format.None},
		{format.After(nil), format.None},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}

func TestGlue(t *testing.T) {
	for in, want := range map[string]string{
		"12 480 requests in 49 s":   "12~480 requests in 49~s",
		"4 min 10 s, 45 ms, 1 µs":   "4~min 10~s, 45~ms, 1~µs",
		"84 % of 3 seeds, 2 minute": "84~% of 3 seeds, 2 minute",
		"5 ":                        "5 ",
	} {
		if got := strings.ReplaceAll(format.Glue(in), "\u00a0", "~"); got != want {
			t.Errorf("%q is glued %q, want %q", in, got, want)
		}
	}
}

func TestCleanAndGlueNeverAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := format.Clean(rapid.String().Draw(t, "text"))
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q holds what cannot be printed", s)
		}
		if format.Unglue(format.Glue(s)) != s {
			t.Fatalf("%q is not itself after being glued", s)
		}
	})
}
