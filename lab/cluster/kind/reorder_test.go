package kind

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/event"
)

// noted is a fact with its time and source; its name identifies it.
type noted struct {
	at   time.Duration
	late bool // it arrives when later ones are recorded already
	name string
}

// Whatever the order of arrival: each fact is recorded once, times never decrease, and facts that
// arrive in time are recorded at their own times, in order.
func TestReorder(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		var events []event.Event
		rec := event.NewRecorder(func(e event.Event) { events = append(events, e) })
		o := &reorderBuffer{rec: rec}
		var all []noted
		var now, drained time.Duration
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for n := range steps {
			now += time.Duration(rapid.IntRange(0, 900).Draw(t, "passed")) * time.Millisecond
			at := now - time.Duration(rapid.IntRange(0, 4000).Draw(t, "delay"))*time.Millisecond
			x := noted{at: max(at, 0), name: fmt.Sprint(n)}
			x.late = x.at < drained
			all = append(all, x)
			o.add(at, "source", event.Stage{Name: x.name})
			if rapid.Bool().Draw(t, "drain") {
				drained = max(drained, now-reorderDelay)
				o.drain(now - reorderDelay)
			}
		}
		o.close(now)
		o.add(now, "source", event.Stage{Name: "too late"})
		o.drain(now)
		rec.Flush()
		checkOrder(t, all, events)
	})
}

func checkOrder(t *rapid.T, all []noted, events []event.Event) {
	if len(events) != len(all) {
		t.Fatalf("%d of %d facts", len(events), len(all))
	}
	place := map[string]event.Event{}
	for i, e := range events {
		if i > 0 && e.At < events[i-1].At {
			t.Fatalf("%v after %v", e.At, events[i-1].At)
		}
		place[e.Fact.(event.Stage).Name] = e
	}
	intime := slices.DeleteFunc(slices.Clone(all), func(x noted) bool { return x.late })
	slices.SortStableFunc(intime, func(a, b noted) int { return int(a.at - b.at) })
	for i, x := range intime {
		e := place[x.name]
		if e.At < x.at {
			t.Errorf("fact %s of %v recorded at %v", x.name, x.at, e.At)
		}
		if i > 0 && place[intime[i-1].name].Seq > e.Seq {
			t.Errorf("fact %s of %v recorded before fact %s of %v", x.name, x.at, intime[i-1].name, intime[i-1].at)
		}
	}
	for _, x := range all {
		if !x.late && place[x.name].At != x.at {
			t.Errorf("fact %s of %v recorded at %v", x.name, x.at, place[x.name].At)
		}
	}
}
