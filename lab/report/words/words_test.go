package words_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"coalmine/lab/report/words"
)

func TestWords(t *testing.T) {
	for _, c := range [][2]string{
		{words.Clock(151 * time.Second), "02:31"},
		{words.Clock(2*time.Hour + 3*time.Second), "2:00:03"},
		{words.Since(65 * time.Second), "+01:05"},
		{words.Since(-100 * time.Second), "−01:40"},
		{words.Since(-400 * time.Millisecond), "+00:00"},
		{words.Span(29 * time.Second), "29 s"},
		{words.Span(120 * time.Second), "2 min"},
		{words.Span(250 * time.Second), "4 min 10 s"},
		{words.Wait(850 * time.Microsecond), "850 µs"},
		{words.Wait(12 * time.Millisecond), "12 ms"},
		{words.Wait(1300 * time.Millisecond), "1.3 s"},
		{words.Number(999), "999"},
		{words.Number(12480), "12 480"},
		{words.Number(-1234567), "-1 234 567"},
		{words.Percent(0), "0 %"},
		{words.Percent(0.014), "1.4 %"},
		{words.Percent(0.84), "84 %"},
		{words.Success(1), "100 %"},
		{words.Success(0.99999999), "99.999 %"},
		{words.Success(0.9928), "99.28 %"},
		{words.Success(0.76), "76.0 %"},
		{words.Success(0), "0.0 %"},
		{words.Plural(1, "run"), "1 run"},
		{words.Plural(1200, "run"), "1 200 runs"},
		{words.At(nil), words.None},
		{words.After(nil), words.None},
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
		if got := strings.ReplaceAll(words.Glue(in), "\u00a0", "~"); got != want {
			t.Errorf("%q is glued %q, want %q", in, got, want)
		}
	}
}

func TestCleanAndGlueNeverAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := words.Clean(rapid.String().Draw(t, "text"))
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q holds what cannot be printed", s)
		}
		if words.Unglue(words.Glue(s)) != s {
			t.Fatalf("%q is not itself after being glued", s)
		}
	})
}
