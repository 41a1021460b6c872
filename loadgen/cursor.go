package loadgen

import (
	"time"

	"coalmine/loadgen/chance"
)

// Cursor walks over a plan. It allocates nothing per arrival, but for sessions when more of them are under way than ever before,
// and is for one goroutine.
type Cursor struct {
	plan *Plan
	// shard is what the cursor stops at, by the stream that deals users to shards.
	shard Shard
	deal  chance.Stream
	// singles are the requests outside of sessions, of which there were lone; the next one is at single unless there is none.
	singles process
	lone    uint64
	single  time.Duration
	more    bool
	// visits are the sessions; nil for none.
	visits *visits
	// taken counts the items of cohorts that take one after the other.
	taken []uint64
	seq   uint64
	// ahead is the next arrival, unless ended.
	ahead Arrival
	ended bool
}

// Arrivals returns a cursor before the first arrival. Cursors of one plan are independent of each other.
func (p *Plan) Arrivals() *Cursor { return p.Share(Shard{}) }

// Share returns a cursor over the arrivals of one shard. Their Seq is that of the whole plan. Walking over a share takes as long
// as walking over the plan, because every arrival is computed to know its user.
func (p *Plan) Share(s Shard) *Cursor {
	c := &Cursor{plan: p, shard: s, deal: shards(), visits: p.newVisits()}
	if p.alone > 0 {
		c.singles = p.process(p.alone, p.gaps, p.thin)
		c.single, c.more = c.singles.next()
	}
	if p.sequential {
		c.taken = make([]uint64, len(p.workload.Cohorts))
	}
	c.advance()
	return c
}

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
	for c.compute() {
		c.ahead.Seq = c.seq
		c.seq++
		if c.has(&c.ahead) {
			return
		}
	}
	c.ahead, c.ended = Arrival{}, true
}

// has tells whether an arrival of the whole plan is the cursor's.
func (c *Cursor) has(a *Arrival) bool {
	return (c.plan.only == nil || c.plan.only[a.Cohort]) && (c.shard.Count <= 1 || c.shard.has(c.deal, a.User))
}

// compute makes the next arrival of the whole plan, but for its Seq: the first of those of all processes. At one instant a
// request outside of sessions comes first.
func (c *Cursor) compute() bool {
	if c.plan.log != nil {
		return c.read()
	}
	if c.visits != nil {
		if at, ok := c.visits.next(); ok && (!c.more || at < c.single) {
			item := c.visits.take(&c.ahead)
			c.stock(item)
			return true
		}
	}
	if !c.more {
		return false
	}
	c.plan.arrival(&c.ahead, c.lone, c.single)
	if c.plan.itemised {
		c.stock(c.plan.item.Bits(c.lone))
	}
	c.lone++
	c.single, c.more = c.singles.next()
	return true
}

// read takes the next line of a log.
func (c *Cursor) read() bool {
	list := c.plan.log.arrivals
	if c.seq >= uint64(len(list)) || list[c.seq].At >= c.plan.duration {
		return false
	}
	c.ahead = list[c.seq]
	return true
}

// arrival fills in who asks for what, for request n outside of sessions. Every part is a function of seed and n.
func (p *Plan) arrival(a *Arrival, n uint64, at time.Duration) {
	cohort := p.cohorts.draw(p.cohort.Bits(n))
	m, u := &p.mixes[cohort], &p.users[cohort]
	*a = Arrival{At: at, Cohort: uint16(cohort), User: u.first}
	a.Route = m.draw(p.route.Bits(n))
	if u.fresh {
		a.User += uint32(n % uint64(u.count))
	} else {
		a.User += uint32(chance.Below(p.user.Bits(n), uint64(u.count)))
	}
}

// stock draws the item of the arrival ahead, if its path has one.
func (c *Cursor) stock(word uint64) {
	s := c.plan.stocks[c.ahead.Cohort]
	if s == nil || !c.plan.marked[c.ahead.Route] {
		return
	}
	if s.sequential {
		c.ahead.Item = s.at(c.taken[c.ahead.Cohort])
		c.taken[c.ahead.Cohort]++
		return
	}
	c.ahead.Item = s.draw(word)
}
