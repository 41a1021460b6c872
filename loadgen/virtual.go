package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"coalmine/loadgen/heap"
)

// Answer is what came back for an attempt at an arrival.
type Answer struct {
	// Latency from when the attempt was sent to the answer; it is not negative.
	Latency time.Duration
	// Status is the HTTP status, 0 for a connection that failed.
	Status uint16
	// Version is the index of the version that served, below [Virtual.Versions].
	Version uint16
	// Hit and Wrong are the ground truth: an injected fault touched the request, its content is wrong.
	Hit, Wrong bool
}

// Failed tells whether the answer counts as an error: a server error or no answer.
func (a Answer) Failed() bool { return a.Status >= 500 || a.Status == 0 }

// Completion is an answered attempt.
type Completion struct {
	Arrival Arrival
	Answer  Answer
	// Sent is when the attempt was sent, since the begin of traffic.
	Sent time.Duration
	// Attempt counts from 0. The Final one has no other after it.
	Attempt uint8
	Final   bool
}

// At is the time of the answer since the begin of traffic.
func (c Completion) At() time.Duration { return c.Sent + c.Answer.Latency }

// Waited is the time from the arrival to the answer, over all attempts.
func (c Completion) Waited() time.Duration { return c.At() - c.Arrival.At }

// Virtual plays plans in virtual time, as fast as the processor can: an open-loop client that sends every arrival at its
// time, whatever the answers to those before, and tries again as the cohorts' policies say.
type Virtual struct {
	// Versions is the number of versions that can answer; 0 stands for as many as there are Names, or for 1.
	Versions int
	// Names of the versions, for outcomes.
	Names []string
	// Shard is the part of the plan that is played.
	Shard Shard
	// Done, when set, is told of every completion in the order of their times, those at one time by Seq.
	Done func(Completion)
	// Outcome is told the same, in the form that executors against real servers have too. The value is used again.
	Outcome func(*Outcome)
}

// checkEvery is the number of arrivals between looks at the context.
const checkEvery = 1 << 16

// endless is later than everything that can be played.
const endless = time.Duration(math.MaxInt64)

// Play sends every arrival of a plan to serve, in order of time, and accounts for its answer when it is due. An attempt that is
// made again (see [Retry]) is sent at its time, among the arrivals; serve learns which attempt it is, from 0, and when it is
// sent. At one instant answers come first, then attempts by Seq. Answers due after the plan's end count too, and retries after it
// are made. It fails when the context ends or an answer's version or latency is out of range; the tally so far is returned in any
// case.
func (v Virtual) Play(ctx context.Context, p *Plan, serve func(a Arrival, attempt int, at time.Duration) Answer) (*Tally, error) {
	run := &play{Virtual: v, tally: newTally(p, max(v.Versions, len(v.Names), 1)), serve: serve}
	if p.hasRetries() {
		run.retries = NewShardRetries(p, v.Shard)
	}
	seen := 0
	for c := p.Share(v.Shard); ; seen++ {
		a, ok := c.Next()
		if !ok {
			return run.tally, run.settle(endless)
		}
		if seen%checkEvery == 0 && ctx.Err() != nil {
			return run.tally, fmt.Errorf("virtual load stopped at %v: %w", a.At, context.Cause(ctx))
		}
		if err := run.settle(a.At); err != nil {
			return run.tally, err
		}
		run.tally.requests++
		if run.retries != nil {
			run.retries.RecordFirst(a, a.At)
		}
		if err := run.send(run.place(a)); err != nil {
			return run.tally, err
		}
	}
}

// play is one run of a virtual executor.
type play struct {
	Virtual
	tally   *Tally
	serve   func(Arrival, int, time.Duration) Answer
	retries *Retries // nil where no cohort tries again
	outcome Outcome
	due     heap.Heap[uint32] // indices in open
	// open holds the requests in flight, and those that wait for their next attempt, by place; free lists the places that are empty.
	open     []Completion
	free     []uint32
	inFlight int
}

// toSend marks the sequence number of an attempt that is to be sent. At one instant it comes after all answers.
const toSend = 1 << 63

// place keeps a request until its last answer.
func (r *play) place(a Arrival) uint32 {
	n := len(r.free)
	if n == 0 {
		r.open = append(r.open, Completion{Arrival: a, Sent: a.At})
		return uint32(len(r.open) - 1)
	}
	at := r.free[n-1]
	r.free = r.free[:n-1]
	c := &r.open[at]
	c.Arrival, c.Sent, c.Attempt = a, a.At, 0
	return at
}

// send puts an attempt in flight.
func (r *play) send(at uint32) error {
	c := &r.open[at]
	c.Answer = r.serve(c.Arrival, int(c.Attempt), c.Sent)
	if err := r.check(c); err != nil {
		return fmt.Errorf("answer to arrival %d at %v: %w", c.Arrival.Seq, c.Arrival.At, err)
	}
	r.due.Push(c.At(), c.Arrival.Seq, at)
	r.inFlight++
	r.tally.sent(r.inFlight)
	return nil
}

func (r *play) check(c *Completion) error {
	if c.Answer.Latency < 0 || c.Answer.Latency >= endless-c.Sent {
		return fmt.Errorf("latency %v is negative or endless", c.Answer.Latency)
	}
	if int(c.Answer.Version) >= r.tally.versions {
		return errors.New("version index is not below Versions")
	}
	return nil
}

// settle accounts for the answers due at or before now, and sends what is to be tried again by then.
func (r *play) settle(now time.Duration) error {
	for r.due.Len() > 0 && r.due.First().At <= now {
		next := r.due.Pop()
		if next.Seq&toSend == 0 {
			r.answered(next)
		} else if err := r.send(next.Value); err != nil {
			return err
		}
	}
	return nil
}

// answered ends an attempt, and the request unless it is tried again.
func (r *play) answered(due heap.Item[uint32]) {
	c := &r.open[due.Value]
	var next time.Duration
	c.Final = true
	if r.retries != nil {
		at, again := r.retries.ShouldRetry(c.Arrival, int(c.Attempt), c.Answer.Status, due.At)
		next, c.Final = at, !again || at < due.At // a time beyond the last one has none after it
	}
	r.inFlight--
	r.tally.account(c, due.At)
	if r.Done != nil || r.Virtual.Outcome != nil {
		r.tell(c)
	}
	if c.Final {
		r.free = append(r.free, due.Value)
		return
	}
	c.Attempt++
	c.Sent = next
	r.due.Push(next, due.Seq|toSend, due.Value)
}

// tell hands the completion on.
func (r *play) tell(c *Completion) {
	if r.Done != nil {
		r.Done(*c)
	}
	if r.Virtual.Outcome == nil {
		return
	}
	r.outcome = Outcome{
		Arrival: c.Arrival, Attempt: int(c.Attempt), Final: c.Final, Intended: c.Sent, Sent: c.Sent, Latency: c.Waited(),
		Status: c.Answer.Status, Hit: c.Answer.Hit, Wrong: c.Answer.Wrong,
	}
	if int(c.Answer.Version) < len(r.Names) {
		r.outcome.Version = r.Names[c.Answer.Version]
	}
	if c.Answer.Status == 0 {
		r.outcome.Failure = FailureOther
	}
	r.Virtual.Outcome(&r.outcome)
}
