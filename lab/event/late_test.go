package event

import (
	"testing"
	"time"
)

// At the end of a run, the closing fact may be older than facts recorded during teardown.
func TestLateFactAfterAFlush(t *testing.T) {
	var times []time.Duration
	r := NewRecorder(func(e Event) { times = append(times, e.At) })
	r.Record(2*time.Second, "a", Stage{})
	r.Flush()
	r.Record(time.Second, "b", Stage{})
	r.Flush()
	if len(times) != 2 || times[0] != 2*time.Second || times[1] != 2*time.Second {
		t.Errorf("the times are %v, want 2s twice", times)
	}
}
