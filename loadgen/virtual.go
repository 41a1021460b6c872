package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Answer is what came back for an arrival.
type Answer struct {
	// Latency from the intended send time to the answer; it is not negative.
	Latency time.Duration
	// Status is the HTTP status, 0 for a connection that failed.
	Status uint16
	// Version is the index of the version that served, below [Virtual.Versions].
	Version uint16
	// Hit is the ground truth: an injected fault touched the request.
	Hit bool
}

// Failed tells whether the answer counts as an error: a server error or no answer.
func (a Answer) Failed() bool { return a.Status >= 500 || a.Status == 0 }

// Completion is an answered arrival.
type Completion struct {
	Arrival Arrival
	Answer  Answer
}

// At is the time of the answer since the begin of traffic.
func (c Completion) At() time.Duration { return c.Arrival.At + c.Answer.Latency }

// Virtual plays plans in virtual time, as fast as the processor can: an open-loop client that sends every arrival at its
// time, whatever the answers to those before.
type Virtual struct {
	// Versions is the number of versions that can answer; 0 stands for 1.
	Versions int
	// Done, when set, is told of every completion in the order of their times, those at one time by Seq.
	Done func(Completion)
}

// checkEvery is the number of arrivals between looks at the context.
const checkEvery = 1 << 16

// Play sends every arrival of a plan to serve, in order of time, and accounts for its answer when it is due. Answers due
// at or before an arrival come before it; those due after the plan's end count too. It fails when the context ends or an
// answer's version or latency is out of range; the tally so far is returned in any case.
func (v Virtual) Play(ctx context.Context, p *Plan, serve func(Arrival) Answer) (*Tally, error) {
	run := &play{tally: newTally(p, max(v.Versions, 1)), done: v.Done}
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			run.settle(1<<63 - 1)
			return run.tally, nil
		}
		if a.Seq%checkEvery == 0 && ctx.Err() != nil {
			return run.tally, fmt.Errorf("virtual load stopped at %v: %w", a.At, context.Cause(ctx))
		}
		run.settle(a.At)
		if err := run.send(a, serve(a)); err != nil {
			return run.tally, fmt.Errorf("answer to arrival %d at %v: %w", a.Seq, a.At, err)
		}
	}
}

// play is one run of a virtual executor.
type play struct {
	tally *Tally
	done  func(Completion)
	due   agenda
	// open holds the requests in flight by place; free lists the places that are empty.
	open []Completion
	free []uint32
}

// send puts a request in flight.
func (r *play) send(a Arrival, b Answer) error {
	if b.Latency < 0 || b.Latency > 1<<62 {
		return fmt.Errorf("latency %v is negative or endless", b.Latency)
	}
	if int(b.Version) >= r.tally.versions {
		return errors.New("version index is not below Versions")
	}
	place := uint32(len(r.open))
	if n := len(r.free); n > 0 {
		place, r.free = r.free[n-1], r.free[:n-1]
		r.open[place] = Completion{a, b}
	} else {
		r.open = append(r.open, Completion{a, b})
	}
	r.due.push(appointment{at: a.At + b.Latency, seq: a.Seq, place: place})
	r.tally.sent(r.due.len())
	return nil
}

// settle accounts for the answers due at or before now.
func (r *play) settle(now time.Duration) {
	for r.due.len() > 0 && r.due.first().at <= now {
		next := r.due.pop()
		c := &r.open[next.place]
		r.tally.account(c)
		if r.done != nil {
			r.done(*c)
		}
		r.free = append(r.free, next.place)
	}
}
