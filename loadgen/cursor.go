package loadgen

import (
	"time"

	"coalmine/loadgen/chance"
)

// Cursor walks over a plan. It allocates nothing per arrival and is for one goroutine.
type Cursor struct {
	plan *Plan
	// now is the time of the last candidate in seconds, in segment number segment.
	now     float64
	segment int
	// candidate numbers the points of the Poisson process before thinning, seq those that stayed.
	candidate, seq uint64
	// shard is what the cursor stops at, by the stream that deals users to shards.
	shard Shard
	deal  chance.Stream
	// ahead is the next arrival, unless ended.
	ahead Arrival
	ended bool
}

// Arrivals returns a cursor before the first arrival. Cursors of one plan are independent of each other.
func (p *Plan) Arrivals() *Cursor { return p.Share(Shard{}) }

// Peek returns what Next would, without moving on.
func (c *Cursor) Peek() (Arrival, bool) { return c.ahead, !c.ended }

// Next returns the next arrival, false at the end of the plan. At never falls; Seq counts from 0, without gaps over all shards.
func (c *Cursor) Next() (Arrival, bool) {
	a, ok := c.ahead, !c.ended
	if ok {
		c.advance()
	}
	return a, ok
}

// advance computes the arrival ahead.
func (c *Cursor) advance() {
	p := c.plan
	for c.step() {
		at := time.Duration(c.now * float64(time.Second))
		if at >= p.duration {
			break
		}
		if share := p.workload.Rate.accept(c.now); share < 1 && !p.thin.Hits(c.candidate-1, share) {
			continue
		}
		c.ahead = p.arrival(c.seq, at)
		c.seq++
		if c.shard.Count > 1 && !c.shard.has(c.deal, c.ahead.User) {
			continue
		}
		return
	}
	c.ahead, c.ended = Arrival{}, true
}

// step moves to the next candidate: an exponential amount of expected arrivals later (inversion of the cumulative rate;
// Çinlar: Introduction to Stochastic Processes, 1975, chapter 4.7). It returns false when there is none within the plan.
func (c *Cursor) step() bool {
	p := c.plan
	work, end := chance.Exponential(p.gaps.Bits(c.candidate)), p.duration.Seconds()
	c.candidate++
	for ok := false; ; {
		c.now, work, ok = p.segments[c.segment].reach(c.now, work)
		if ok && c.now < end {
			return true
		}
		// Beyond the end a time in seconds may be no duration any more.
		if c.now >= end || c.segment == len(p.segments)-1 {
			return false
		}
		c.segment++
	}
}

// arrival fills in who asks for what. Every part is a function of seed and sequence number.
func (p *Plan) arrival(seq uint64, at time.Duration) Arrival {
	cohort := p.cohorts.draw(p.cohort.Bits(seq))
	m, u := &p.mixes[cohort], p.users[cohort]
	a := Arrival{At: at, Seq: seq, Cohort: cohort, User: u.first}
	a.Route = m.routes[m.table.draw(p.route.Bits(seq))]
	if u.fresh {
		a.User += uint32(seq % uint64(u.count))
	} else {
		a.User += uint32(chance.Below(p.user.Bits(seq), uint64(u.count)))
	}
	return a
}
