package event_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"coalmine/lab/event"
)

// A long run's log is on its way to the disk while the run goes on.
func TestWriterHoldsLittleBack(t *testing.T) {
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
			t.Errorf("%d of 2 events are written at once: the second may wait for others", lines())
		}
		time.Sleep(time.Second)
		note(3)
		if lines() != 3 {
			t.Errorf("%d of 3 events are written after a second", lines())
		}
	})
}
