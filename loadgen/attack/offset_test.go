package attack

import (
	"io"
	"net"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen/rng"
)

// TestOffsetConverges has writes that happen a varying time after dispatch; a quarter of them
// should be early.
func TestOffsetConverges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		least := time.Duration(rapid.IntRange(0, 120).Draw(r, "least")) * time.Microsecond
		spread := time.Duration(rapid.IntRange(2, 60).Draw(r, "spread")) * time.Microsecond
		draws := rng.New(rapid.Uint64().Draw(r, "seed"), "lateness")
		var l dispatchOffset
		early := 0
		const learning, counting = 500, 4000
		for i := range uint64(learning + counting) {
			late := least + time.Duration(draws.Unit(i)*float64(spread)) - l.get()
			if i >= learning && late < 0 {
				early++
			}
			l.learn(late)
		}
		if share := float64(early) / counting; share < 0.15 || share > 0.35 {
			r.Errorf("%.0f %% of writes were early; the lead is %v for a lateness of %v to %v", 100*share, l.get(),
				least, least+spread)
		}
	})
}

func TestOffsetIsBounded(t *testing.T) {
	var l dispatchOffset
	for range 10_000 {
		l.learn(maxLateness + 1) // waited for something else
	}
	if l.get() != 0 {
		t.Errorf("learnt %v from requests that had to wait", l.get())
	}
	for range 10_000 {
		l.learn(maxLateness)
	}
	if l.get() != maxOffset {
		t.Errorf("the lead is %v", l.get())
	}
	for range 10_000 {
		l.learn(-1)
	}
	if l.get() != 0 {
		t.Errorf("the lead is %v for writes that are early by all means", l.get())
	}
}

func TestOffsetCountsEachRequestOnce(t *testing.T) {
	l := dispatchOffset{start: time.Now().Add(-time.Hour)}
	l.written()
	l.markDispatched(0, maxLateness) // an hour late: must be ignored
	l.written()
	if n := l.steps.Load(); n != 0 {
		t.Errorf("learnt %d times from nothing", n)
	}
	l.markDispatched(time.Hour, time.Hour)
	l.written()
	l.written()
	if n := l.steps.Load(); n > 1 {
		t.Errorf("learnt %d times from one request", n)
	}
}

func TestOffsetPredictsWrites(t *testing.T) {
	var l dispatchOffset
	if got := l.markDispatched(time.Second, time.Second+5); got != time.Second+5 {
		t.Errorf("sent at %v", got)
	}
	for range 200 {
		l.updateMean(40 * time.Microsecond)
		l.updateMean(maxLateness + 1) // had to dial
	}
	late := time.Second + time.Millisecond
	if way := l.markDispatched(time.Second, late) - late; way < 39*time.Microsecond || way > 40*time.Microsecond {
		t.Errorf("a way of %v", way)
	}
	if got := l.markDispatched(time.Second, time.Second-80*time.Microsecond); got != time.Second {
		t.Errorf("sent at %v, not at its time", got)
	}
}

func TestOffsetLearnsFromConnections(t *testing.T) {
	d := newDialer(time.Second, Attack{})
	d.offset.start = time.Now()
	client, server := net.Pipe()
	defer server.Close()
	c := d.track(client)
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	d.offset.markDispatched(time.Hour, time.Hour)
	if _, err := c.Write([]byte("GET")); err != nil {
		t.Fatal(err)
	}
	if n := d.offset.steps.Load(); n != 1 {
		t.Errorf("learnt %d times from a write", n)
	}
}
