package loadgen_test

import (
	"math"
	"testing"
	"time"

	"coalmine/loadgen"
)

func TestRateAtATime(t *testing.T) {
	cases := []struct {
		curve string
		at    time.Duration
		want  float64
	}{
		{"constant", 0, 100}, {"constant", 1000 * time.Hour, 100},
		{"ramp up", 0, 0}, {"ramp up", 10 * time.Second, 50}, {"ramp up", 40 * time.Second, 200},
		{"ramp up", time.Hour, 200},
		{"steps", 0, 0}, {"steps", 5 * time.Second, 150}, {"steps", 20 * time.Second, 0}, {"steps", time.Hour, 300},
		{"spike", 0, 20}, {"spike", 17 * time.Second, 800}, {"spike", 26*time.Second - 1, 800},
		{"spike", 26 * time.Second, 20},
		{"diurnal", 0, 100 + 100*math.Sin(0.2*math.Pi)},
	}
	for _, c := range cases {
		if got := shapes()[c.curve].At(c.at); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s at %v: %g, want %g", c.curve, c.at, got, c.want)
		}
	}
}

// TestIntegralIsTheAreaUnderTheRate compares with a sum over short steps.
func TestIntegralIsTheAreaUnderTheRate(t *testing.T) {
	const step = time.Millisecond
	for name, c := range shapes() {
		sum := 0.0
		for at := step / 2; at < time.Minute; at += step {
			sum += c.At(at) * step.Seconds()
		}
		if got := c.Integral(time.Minute); math.Abs(got-sum) > 1e-3 {
			t.Errorf("%s: integral %.6f, want %.6f", name, got, sum)
		}
		if got := c.Mean(time.Minute); math.Abs(got-sum/60) > 1e-4 {
			t.Errorf("%s: mean %g, want %g", name, got, sum/60)
		}
	}
	if got := (loadgen.Curve{Constant: 5}).Mean(0); got != 5 {
		t.Errorf("mean over no time: %g", got)
	}
}
