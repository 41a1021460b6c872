package dataplane

import (
	"time"

	"coalmine/loadgen/heap"
)

// eventKind is what an event does.
type eventKind uint8

const (
	// callDownstream calls the other service, after the first part of the work.
	callDownstream eventKind = iota
	// callTimeout ends an attempt of a process at a call.
	callTimeout
	// workDone ends the work on a hop.
	workDone
	// slotReleased ends the time for which a slot was held after its response.
	slotReleased
	// failfastTimeout ends the wait for an endpoint. id is the index of the upstream, gen the number
	// of its timer.
	failfastTimeout
	// penaltyOver lets an endpoint be tried again. id is the index of the upstream, gen the
	// endpoint's key.
	penaltyOver
	// attemptTimeout ends an attempt of a client's proxy.
	attemptTimeout
	// lookupTimeout ends a look-up of a Service, lookupAgain starts the next. id is the index of the
	// upstream.
	lookupTimeout
	lookupAgain
	// connectionRefused ends an attempt at a pod whose process has ended.
	connectionRefused
	// crashNoticed takes a crashed pod out of the endpoints. id is the pod's, gen its restarts.
	crashNoticed
	// profileTimeout ends a request that follows a ServiceProfile.
	profileTimeout
	// meshRetry is the next attempt of a client's proxy.
	meshRetry
	// received is when a slow client has read the response.
	received
	// resend is a client's next attempt.
	resend
	// kubeletProbe is a probe of a pod, whose number is id.
	kubeletProbe
	// certificateDue is when the proxy of a pod, whose number is id, asks for a certificate.
	certificateDue
	// loadTestDue is when a worker of a load test sends. id is the index of the load test, gen the
	// worker.
	loadTestDue
)

// timedEvent is what happens to a hop at some time.
type timedEvent struct {
	kind eventKind
	// try is the attempt that attemptTimeout or callTimeout ends.
	try uint8
	// id and gen identify a hop; an event of an earlier generation is void. For slotReleased, id is
	// the index of a held slot, for kubeletProbe and
	// certificateDue that of a pod.
	id  int32
	gen uint32
}

// eventQueue holds events, the earliest first. Simultaneous events happen in the order in which
// they were scheduled.
type eventQueue struct {
	heap heap.Heap[timedEvent]
	seq  uint64
}

func (q *eventQueue) add(at time.Duration, k eventKind, id int32, gen uint32) {
	q.seq++
	q.heap.Push(at, q.seq, timedEvent{kind: k, id: id, gen: gen})
}

// addTry adds an event of an attempt of a hop.
func (q *eventQueue) addTry(at time.Duration, k eventKind, h *hop, try uint8) {
	q.seq++
	q.heap.Push(at, q.seq, timedEvent{kind: k, try: try, id: h.id, gen: h.gen})
}

// next returns the time of the earliest event, and false if there is none.
func (q *eventQueue) next() (time.Duration, bool) {
	if q.heap.Len() == 0 {
		return 0, false
	}
	return q.heap.First().At, true
}

// take removes the earliest event.
func (q *eventQueue) take() timedEvent { return q.heap.Pop().Value }
