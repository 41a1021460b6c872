package dataplane

import "time"

// eventKind is what an event does.
type eventKind uint8

const (
	// callDownstream asks the other service, after the first part of the work.
	callDownstream eventKind = iota
	// workDone ends the work of a hop.
	workDone
	// slotReleased ends the time for which a slot was held after its answer.
	slotReleased
	// failfastTimeout ends the wait for a backend.
	failfastTimeout
	// received is when a slow client has read the answer.
	received
	// resend is a client's next attempt.
	resend
)

// timedEvent is an event in the heap. Events of one instant happen in the order in which they were scheduled.
type timedEvent struct {
	at  time.Duration
	seq uint64
	// id and life name a hop; an event of an earlier life is void. For slotFree, id names a held slot.
	id   int32
	gen  uint32
	kind eventKind
}

func (a *timedEvent) before(b *timedEvent) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// eventQueue is a heap of events, the earliest first. container/heap would allocate for each event.
type eventQueue struct {
	events []timedEvent
	seq    uint64
}

func (a *eventQueue) add(at time.Duration, k eventKind, id int32, life uint32) {
	a.seq++
	a.events = append(a.events, timedEvent{at: at, seq: a.seq, id: id, gen: life, kind: k})
	h := a.events
	i := len(h) - 1
	e := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// next returns the time of the earliest event.
func (a *eventQueue) next() (time.Duration, bool) {
	if len(a.events) == 0 {
		return 0, false
	}
	return a.events[0].at, true
}

// take removes the earliest event.
func (a *eventQueue) take() timedEvent {
	h := a.events
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	a.events = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].before(&h[child]) {
			child = right
		}
		if !h[child].before(&last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	return first
}
