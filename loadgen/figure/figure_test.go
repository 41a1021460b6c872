package figure_test

import (
	"math"
	"testing"
	"time"

	"coalmine/loadgen/figure"
)

func TestFigures(t *testing.T) {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	for _, c := range []struct{ got, want string }{
		{figure.Number(0), "0"}, {figure.Number(999), "999"}, {figure.Number(1000), "1 000"}, {figure.Number(-1000), "-1 000"},
		{figure.Number(-100), "-100"}, {figure.Number(12_345_678), "12 345 678"}, {figure.Number(math.MaxInt64), "9 223 372 036 854 775 807"},
		{figure.Count(1, "reply", "replies"), "1 reply"}, {figure.Count(1200, "reply", "replies"), "1 200 replies"},
		{figure.Percent(0), "0 %"}, {figure.Percent(1), "100 %"}, {figure.Percent(0.25), "25 %"}, {figure.Percent(0.0996), "10 %"},
		{figure.Percent(0.0994), "9.9 %"}, {figure.Percent(0.005), "0.5 %"}, {figure.Percent(0.00094), "0.094 %"}, {figure.Percent(1e-6), "<0.001 %"},
		{figure.Percent(0.99), "99 %"}, {figure.Percent(0.995), "99.50 %"}, {figure.Percent(0.9999), "99.99 %"}, {figure.Percent(0.99999), ">99.99 %"},
		{figure.Rate(0.05), "0.05"}, {figure.Rate(0.5), "0.5"}, {figure.Rate(9.96), "10"}, {figure.Rate(2000), "2000"}, {figure.Rate(12_480), "12.5k"},
		{figure.Rate(200_000), "200k"},
		{figure.Time(0), "0 µs"}, {figure.Time(13 * us), "13 µs"}, {figure.Time(1250 * us), "1.25 ms"}, {figure.Time(612 * ms), "612 ms"},
		{figure.Time(4070 * ms), "4.07 s"}, {figure.Time(3600 * s), "3600 s"},
		{figure.Millis(0), "0.00"}, {figure.Millis(9 * ms), "9.00"}, {figure.Millis(12_040 * us), "12.0"}, {figure.Millis(5 * s), "5000"},
		{figure.Millis(12 * s), "12.0s"}, {figure.Millis(3600 * s), "3600s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
