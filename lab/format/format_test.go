package format_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"coalmine/lab/format"
)

type textCase struct{ got, want string }

func check(t *testing.T, cases []textCase) {
	t.Helper()
	for i, c := range cases {
		if c.got != c.want {
			t.Errorf("case %d: got %q, want %q", i, c.got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	check(t, []textCase{
		{format.Number(0), "0"}, {format.Number(999), "999"}, {format.Number(1000), "1 000"},
		{format.Number(12480), "12 480"}, {format.Number(-100), "-100"}, {format.Number(-1234567), "-1 234 567"},
		{format.Number(int64(math.MaxInt64)), "9 223 372 036 854 775 807"},
		{format.Count(1, "reply", "replies"), "1 reply"}, {format.Count(1200, "reply", "replies"), "1 200 replies"},
		{format.Plural(0, "run"), "0 runs"}, {format.Plural(1, "run"), "1 run"},
		{format.Plural(1200, "run"), "1 200 runs"},
	})
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.25: "25 %", 0.5: "50 %", 0.84: "84 %", 0.76: "76 %",
		0.0996: "10 %", 0.0994: "9.9 %", 0.05: "5.0 %", 0.014: "1.4 %", 0.0096: "0.96 %", 0.005: "0.50 %",
		0.0004: "0.040 %", 0.00001: "0.001 %", 0.000001: "<0.001 %",
		0.9005: "90 %", 0.95: "95.0 %", 0.99: "99.0 %", 0.9928: "99.28 %", 0.9962: "99.62 %", 0.9999: "99.990 %",
		0.99999: "99.999 %", 0.9999999: ">99.999 %",
		2.5: "250 %", 1.004: "100 %", -0.035: "-3.5 %", math.NaN(): "–",
	} {
		if got := format.Percent(share); got != want {
			t.Errorf("Percent(%v) is %q, want %q", share, got, want)
		}
	}
}

// Only a share of exactly nothing or everything may read so.
func TestPercentNeverRoundsToTheEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 1<<40).Draw(t, "n")
		k := rapid.IntRange(1, n-1).Draw(t, "k")
		got := format.Percent(float64(k) / float64(n))
		for _, end := range []string{"0 %", "0.0 %", "0.00 %", "0.000 %", "100 %", "100.0 %", "100.00 %", "100.000 %"} {
			if got == end {
				t.Fatalf("%d of %d is %q", k, n, got)
			}
		}
	})
}

func TestRate(t *testing.T) {
	check(t, []textCase{
		{format.Rate(0), "0"}, {format.Rate(0.05), "0.05"}, {format.Rate(0.24), "0.2"}, {format.Rate(9.96), "10"},
		{format.Rate(1234), "1 234"}, {format.Rate(12_480), "12.5k"}, {format.Rate(200_000), "200k"},
		{format.Rate(math.NaN()), "–"},
	})
}

func TestValue(t *testing.T) {
	check(t, []textCase{
		{format.Value(99.26384), "99.26"}, {format.Value(17380.4), "17380"}, {format.Value(0.0001), "0.0001"},
		{format.Value(1e9), "1000000000"}, {format.Value(1e16), "1e+16"}, {format.Value(1e-7), "1e-07"},
		{format.Value(500), "500"},
		{format.Bound(99.5), "99.5"}, {format.Bound(99.123456), "99.123456"},
		{format.ValueAgainst(98.996, 99), "98.996"}, {format.ValueAgainst(99, 99), "99"},
		{format.ValueAgainst(97.23, 99), "97.23"},
	})
}

func TestTimes(t *testing.T) {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	check(t, []textCase{
		{format.Clock(151 * s), "02:31"}, {format.Clock(281_600 * ms), "04:41"}, {format.Clock(282*s - 1), "04:42"},
		{format.Clock(59*time.Minute + 59*s), "59:59"}, {format.Clock(2*time.Hour + 3*s), "2:00:03"},
		{format.Offset(65 * s), "+01:05"}, {format.Offset(-100 * s), "−01:40"}, {format.Offset(-400 * ms), "+00:00"},
		{format.Duration(29 * s), "29 s"}, {format.Duration(119 * s), "119 s"}, {format.Duration(120 * s), "2 min"},
		{format.Duration(250 * s), "4 min 10 s"}, {format.Duration(281_600 * ms), "4 min 42 s"},
		{format.Latency(0), "0 µs"}, {format.Latency(13 * us), "13 µs"}, {format.Latency(1250 * us), "1.25 ms"},
		{format.Latency(87 * ms), "87 ms"}, {format.Latency(612 * ms), "612 ms"}, {format.Latency(999_900 * us), "1 s"},
		{format.Latency(4070 * ms), "4.07 s"}, {format.Latency(3600 * s), "3600 s"},
		{format.Millis(0), "0.00"}, {format.Millis(9 * ms), "9.00"}, {format.Millis(12_040 * us), "12.0"},
		{format.Millis(5 * s), "5000"}, {format.Millis(12 * s), "12.0s"}, {format.Millis(3600 * s), "3600s"},
		{format.Setting(90 * s), "1m30s"}, {format.Setting(2 * time.Minute), "2m"}, {format.Setting(time.Hour), "1h"},
		{format.Setting(10 * s), "10s"},
	})
}

func TestOptional(t *testing.T) {
	d := 3 * time.Second
	check(t, []textCase{
		{format.OptionalClock[time.Duration](nil), format.Missing}, {format.OptionalClock(&d), "00:03"},
		{format.OptionalDuration[time.Duration](nil), format.Missing}, {format.OptionalDuration(&d), "3 s"},
	})
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

func TestCleanTextIsPrintableAndGlueIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := format.Clean(rapid.String().Draw(t, "text"))
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q has unprintable characters", s)
		}
		if format.Unglue(format.Glue(s)) != s {
			t.Fatalf("%q changed by Glue and Unglue", s)
		}
	})
}
