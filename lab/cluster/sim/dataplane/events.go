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
	// attemptTimeout ends an attempt of a client's proxy.
	attemptTimeout
	// connectionRefused ends an attempt at a pod whose process has ended.
	connectionRefused
	// profileTimeout ends a request that follows a ServiceProfile.
	profileTimeout
	// meshRetry is the next attempt of a client's proxy.
	meshRetry
	// received is when a slow client has read the response.
	received
	// resend is a client's next attempt.
	resend

	// slotReleased ends the time for which a slot was held after its response.
	slotReleased
	// failfastTimeout ends the wait for an endpoint. id is the index of the upstream, gen the number
	// of its timer.
	failfastTimeout
	// penaltyOver lets an endpoint be tried again. id is the index of the upstream, gen the
	// endpoint's key.
	penaltyOver
	// lookupTimeout ends a look-up of a Service, lookupAgain starts the next. id is the index of the
	// upstream.
	lookupTimeout
	lookupAgain
	// crashNoticed takes a crashed pod out of the endpoints. id is the pod's, gen its restarts.
	crashNoticed
	// kubeletProbe is a probe of a pod, whose number is id.
	kubeletProbe
	// certificateDue is when the proxy of a pod, whose number is id, asks for a certificate.
	certificateDue
	// loadTestDue is when a worker of a load test sends. id is the index of the load test, gen the
	// worker.
	loadTestDue
)

// lastOfHops is the last kind of event that happens to a hop.
const lastOfHops = resend

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
	// taken is set while the earliest event of the heap has been taken, but not removed: most events
	// add one, which is put into its place.
	taken bool
}

func (q *eventQueue) add(at time.Duration, k eventKind, id int32, gen uint32) {
	q.push(at, timedEvent{kind: k, id: id, gen: gen})
}

// addTry adds an event of an attempt of a hop.
func (q *eventQueue) addTry(at time.Duration, k eventKind, h *hop, try uint8) {
	q.push(at, timedEvent{kind: k, try: try, id: h.id, gen: h.gen})
}

func (q *eventQueue) push(at time.Duration, e timedEvent) {
	q.seq++
	if q.taken {
		q.taken = false
		q.heap.ReplaceFirst(heap.Item[timedEvent]{At: at, Seq: q.seq, Value: e})
		return
	}
	q.heap.Push(at, q.seq, e)
}

// next returns the time of the earliest event, and false if there is none.
func (q *eventQueue) next() (time.Duration, bool) {
	if q.taken {
		q.taken = false
		q.heap.Pop()
	}
	if q.heap.Len() == 0 {
		return 0, false
	}
	return q.heap.First().At, true
}

// take removes the event that [eventQueue.next] told of.
func (q *eventQueue) take() timedEvent {
	q.taken = true
	return q.heap.First().Value
}
