package loadgen

import (
	"time"

	"coalmine/loadgen/rng"
)

// Cursor walks over a plan. It allocates nothing per arrival, but for sessions when more of them are under way than ever before,
// and is for one goroutine.
type Cursor struct {
	plan *Plan
	// shard is what the cursor stops at, by the stream that deals users to shards.
	shard       Shard
	shardStream rng.Stream
	// singles are the requests outside of sessions, of which there were lone; the next one is at single unless there is none.
	singles     process
	singleCount uint64
	nextSingle  time.Duration
	hasSingle   bool
	// sessions are the sessions; nil for none.
	sessions *activeSessions
	// taken counts the items of cohorts that take one after the other.
	taken []uint64
	seq   uint64
	// next is the next arrival, unless ended.
	next  Arrival
	ended bool
}

// Arrivals returns a cursor before the first arrival. Cursors of one plan are independent of each other.
func (p *Plan) Arrivals() *Cursor { return p.Share(Shard{}) }

// Share returns a cursor over the arrivals of one shard. Their Seq is that of the whole plan. Walking over a share takes as long
// as walking over the plan, because every arrival is computed to know its user.
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

// Peek returns what Next would, without moving on.
func (c *Cursor) Peek() (Arrival, bool) { return c.next, !c.ended }

// Next returns the next arrival, false at the end of the plan. At never falls; Seq counts from 0, without gaps over all shards.
func (c *Cursor) Next() (Arrival, bool) {
	a, ok := c.next, !c.ended
	if ok {
		c.advance()
	}
	return a, ok
}

// advance computes the arrival ahead.
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

// owns tells whether an arrival of the whole plan is the cursor's.
func (c *Cursor) owns(a *Arrival) bool {
	return (c.plan.only == nil || c.plan.only[a.Cohort]) && (c.shard.Count <= 1 || c.shard.contains(c.shardStream, a.User))
}

// compute makes the next arrival of the whole plan, but for its Seq: the first of those of all processes. At one instant a
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

// arrival fills in who asks for what, for request n outside of sessions. Every part is a function of seed and n.
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

// drawItem draws the item of the arrival ahead, if its path has one.
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
