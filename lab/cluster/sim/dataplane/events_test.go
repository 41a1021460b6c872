package dataplane

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAgendaKeepsItsOrder compares the heap with a stable sort by time, while events are added and taken in turns.
func TestAgendaKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a eventQueue
		var model []timedEvent
		for id := range int32(200) {
			if rapid.Bool().Draw(t, "add") || len(model) == 0 {
				at := time.Duration(rapid.IntRange(0, 5).Draw(t, "at"))
				a.add(at, workDone, id, 0)
				model = append(model, timedEvent{at: at, id: id})
				continue
			}
			first := 0
			for i := range model {
				if model[i].at < model[first].at {
					first = i
				}
			}
			if at, ok := a.next(); !ok || at != model[first].at {
				t.Fatalf("next is %v, want %v", at, model[first].at)
			}
			if got := a.take(); got.id != model[first].id {
				t.Fatalf("took event %d, want %d", got.id, model[first].id)
			}
			model = slices.Delete(model, first, first+1)
		}
	})
}
