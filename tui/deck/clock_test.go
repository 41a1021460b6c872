package deck

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClock advances by random times: the clock never goes back or beyond the end, skips no stop at
// speeds with stops, and reaches the end.
func TestClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "end"))
		var stops []time.Duration
		for range rapid.IntRange(0, 5).Draw(t, "stops") {
			stops = append(stops, time.Duration(rapid.Int64Range(1, max(1, int64(end))).Draw(t, "stop")))
		}
		slices.Sort(stops)
		c := clock{speed: rapid.SampledFrom(speeds()).Draw(t, "speed"), playing: true}
		for range 30_000 {
			before := c.at
			c.advance(tickInterval, end, stops)
			if c.at < before || c.at > end {
				t.Fatalf("from %v to %v of %v", before, c.at, end)
			}
			for _, s := range stops {
				if c.speed >= minHoldSpeed && before < s && s < c.at {
					t.Fatalf("from %v to %v it passed by %v", before, c.at, s)
				}
			}
			if c.at == end {
				break
			}
			if c.speed < minHoldSpeed && c.speed != maxSpeed {
				c.faster()
			}
		}
		if c.at != end {
			t.Fatalf("after an hour it is at %v of %v", c.at, end)
		}
	})
}

func TestClockStopsAtDecisions(t *testing.T) {
	stops := []time.Duration{10 * time.Second, 10*time.Second + 1, 40 * time.Second}
	c := clock{speed: 50, playing: true}
	var at []time.Duration
	for range 40 {
		before := c.at
		c.advance(tickInterval, time.Minute, stops)
		if c.at != before {
			at = append(at, c.at)
		}
	}
	// Five seconds a tick, and eight ticks at each stop.
	if len(at) < 8 || at[0] != 5*time.Second || at[1] != stops[0] || at[2] != stops[1] ||
		!slices.Contains(at, stops[2]) {
		t.Fatalf("it stopped at %v, want at least %v", at, stops)
	}
	c = clock{speed: maxSpeed, playing: true}
	if c.advance(tickInterval, time.Minute, stops); c.at != time.Minute {
		t.Errorf("max leads to %v", c.at)
	}
	c = clock{speed: 1, playing: true}
	c.advance(time.Hour, time.Minute, stops) // the program was suspended
	if c.at != maxTick {
		t.Errorf("after a suspension it is at %v", c.at)
	}
}

func TestSpeeds(t *testing.T) {
	c := clock{speed: 1}
	for _, want := range []int{1, 2, 5, 10, 20, 50, 100, maxSpeed, maxSpeed} {
		if c.speed != want {
			t.Fatalf("speed %d, want %d", c.speed, want)
		}
		if want != 1 || c.label() == "×1" {
			c.faster()
		}
	}
	c.slower()
	if c.speed != 100 || c.label() != "×100" {
		t.Errorf("slower than max is %s", c.label())
	}
	for d, want := range map[time.Duration]int{0: 1, 20 * time.Second: 1, 2 * time.Minute: 5, 13 * time.Minute: 50,
		48 * time.Minute: 100, 30 * time.Hour: 100} {
		if got := fittingSpeed(d); got != want {
			t.Errorf("%v is watched at ×%d, want ×%d", d, got, want)
		}
	}
}
