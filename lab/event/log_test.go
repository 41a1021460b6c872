package event_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"coalmine/lab/event"
)

// The log of a long run is written to disk during the run.
func TestWriterFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := event.NewWriter(&out)
		note := func(seq int) {
			w.Write(event.Event{Seq: seq, At: time.Duration(seq), Fact: event.Stage{Name: "baseline"}})
		}
		lines := func() int { return bytes.Count(out.Bytes(), []byte("\n")) }
		note(1)
		note(2)
		if lines() != 1 {
			t.Errorf("%d of 2 events are written at once, want 1", lines())
		}
		time.Sleep(time.Second)
		note(3)
		if lines() != 3 {
			t.Errorf("%d of 3 events are written after a second, want 3", lines())
		}
	})
}
