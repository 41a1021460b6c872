package loadgen

import (
	"time"

	"coalmine/loadgen/rng"
)

// Cursor iterates over a plan. It does not allocate per arrival, except when more sessions are
// active than ever before. It is not safe for concurrent use.
type Cursor struct {
	plan *Plan
	// The cursor returns the arrivals of shard; shardStream assigns users to shards.
	shard       Shard
	shardStream rng.Stream
	// singles are the requests outside of sessions. singleCount of them have been returned; the
	// next one is at nextSingle if hasSingle is set.
	singles     process
	singleCount uint64
	nextSingle  time.Duration
	hasSingle   bool
	// sessions is nil for a plan without sessions.
	sessions *activeSessions
	// taken counts the items that each cohort with sequential items has requested.
	taken []uint64
	seq   uint64
	// next is the next arrival, unless ended is set.
	next  Arrival
	ended bool
}

// Arrivals returns a cursor before the first arrival. Cursors of one plan are independent of each
// other.
func (p *Plan) Arrivals() *Cursor { return p.Share(Shard{}) }

// Share returns a cursor over the arrivals of one shard. Their Seq is that of the whole plan.
// Iterating over a shard takes as long as iterating over the plan, because a request's user is
// known only once it has been computed.
func (p *Plan) Share(s Shard) *Cursor {
	c := &Cursor{plan: p, shard: s, shardStream: newShardStream(), sessions: p.newSessions()}
	if p.singleShare > 0 {
		c.singles = p.process(p.singleShare, p.gaps, p.thin)
		c.nextSingle, c.hasSingle = c.singles.next()
	}
	if p.sequential {
		c.taken = make([]uint64, len(p.workload.Cohorts))
	}
	c.advance()
	return c
}

// Peek returns what Next would return, without advancing.
func (c *Cursor) Peek() (Arrival, bool) { return c.next, !c.ended }

// Next returns the next arrival, or false at the end of the plan. At never decreases; Seq counts
// from 0, without gaps over all shards together.
func (c *Cursor) Next() (Arrival, bool) {
	a, ok := c.next, !c.ended
	if ok {
		c.advance()
	}
	return a, ok
}

// advance computes the next arrival.
func (c *Cursor) advance() {
	for c.compute() {
		c.next.Seq = c.seq
		c.seq++
		if c.owns(&c.next) {
			return
		}
	}
	c.next, c.ended = Arrival{}, true
}

// owns reports whether an arrival of the whole plan belongs to this cursor.
func (c *Cursor) owns(a *Arrival) bool {
	return (c.plan.only == nil || c.plan.only[a.Cohort]) &&
		(c.shard.Count <= 1 || c.shard.contains(c.shardStream, a.User))
}

// compute sets c.next to the next arrival of the whole plan, without its Seq. At equal times a
// request outside of sessions comes first.
func (c *Cursor) compute() bool {
	if c.plan.log != nil {
		return c.nextFromLog()
	}
	if c.sessions != nil {
		if at, ok := c.sessions.next(); ok && (!c.hasSingle || at < c.nextSingle) {
			item := c.sessions.take(&c.next)
			c.drawItem(item)
			return true
		}
	}
	if !c.hasSingle {
		return false
	}
	c.plan.arrival(&c.next, c.singleCount, c.nextSingle)
	if c.plan.usesItems {
		c.drawItem(c.plan.item.Bits(c.singleCount))
	}
	c.singleCount++
	c.nextSingle, c.hasSingle = c.singles.next()
	return true
}

// nextFromLog takes the next line of a log.
func (c *Cursor) nextFromLog() bool {
	list := c.plan.log.arrivals
	if c.seq >= uint64(len(list)) || list[c.seq].At >= c.plan.duration {
		return false
	}
	c.next = list[c.seq]
	return true
}

// arrival fills in user, cohort and route of request n outside of sessions. Each is a function of
// seed and n.
func (p *Plan) arrival(a *Arrival, n uint64, at time.Duration) {
	cohort := p.cohorts.draw(p.cohort.Bits(n))
	m, u := &p.mixes[cohort], &p.users[cohort]
	*a = Arrival{At: at, Cohort: uint16(cohort), User: u.first}
	a.Route = m.draw(p.route.Bits(n))
	if u.perArrival {
		a.User += uint32(n % uint64(u.count))
	} else {
		a.User += uint32(rng.Below(p.user.Bits(n), uint64(u.count)))
	}
}

// drawItem draws the item of the next arrival, if its route has one.
func (c *Cursor) drawItem(word uint64) {
	s := c.plan.itemPickers[c.next.Cohort]
	if s == nil || !c.plan.hasItem[c.next.Route] {
		return
	}
	if s.sequential {
		c.next.Item = s.ofRank(c.taken[c.next.Cohort])
		c.taken[c.next.Cohort]++
		return
	}
	c.next.Item = s.draw(word)
}
