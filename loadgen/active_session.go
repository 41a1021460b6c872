package loadgen

import (
	"time"

	"coalmine/loadgen/heap"
	"coalmine/loadgen/rng"
)

// activeSessions are the sessions of a plan that are under way, as a cursor moves on. Storage is used again.
type activeSessions struct {
	plan *Plan
	// starts and begun are by visitor: when sessions start, and how many have.
	starts  []process
	started []uint64
	// due holds the slots by the next request of each session that is under way and of the next one
	// of each visitor.
	due   heap.Heap[uint32]
	slots []activeSession
	free  []uint32
	// number of the last session that made a request.
	number uint32
}

// activeSession is a session under way.
type activeSession struct {
	draws rng.Stream
	// step counts its requests so far, as of the begin of traffic; left those to come.
	step, remaining uint32
	// number is 0 before the first request.
	number, user uint32
	// page is the route of the request to come.
	page   uint16
	cohort uint16
	// latest is set for the last session of its visitor, after which the next one is to be made.
	latest bool
}

// newSessions returns the sessions at the begin of traffic; nil for a plan without.
func (p *Plan) newSessions() *activeSessions {
	if len(p.sessionCohorts) == 0 {
		return nil
	}
	s := &activeSessions{plan: p, started: make([]uint64, len(p.sessionCohorts))}
	before := p.bursts.history()
	for i, v := range p.sessionCohorts {
		s.starts = append(s.starts, p.process(v.perRequest, v.gaps, v.thin))
		s.resume(i, before)
		s.start(i)
	}
	return s
}

// key breaks ties: by visitor, then by the order of starts.
func key(visitor int, session uint64) uint64 { return uint64(visitor)<<48 | session }

// add puts a session in place, with a user unless it gets a fresh one.
func (s *activeSessions) add(i int, at time.Duration, v activeSession) {
	session := s.started[i]
	s.started[i]++
	if at >= s.plan.duration {
		return
	}
	if u := s.plan.users[s.plan.sessionCohorts[i].cohort]; !u.perArrival {
		v.user = u.first + uint32(rng.Below(v.draws.Bits(userWord), uint64(u.count)))
	}
	place := uint32(len(s.slots))
	if n := len(s.free); n > 0 {
		place, s.free = s.free[n-1], s.free[:n-1]
		s.slots[place] = v
	} else {
		s.slots = append(s.slots, v)
	}
	s.due.Push(at, key(i, session), place)
}

// start makes the next session of a visitor, if there is one.
func (s *activeSessions) start(i int) {
	at, ok := s.starts[i].next()
	if !ok {
		return
	}
	v := s.plan.sessionCohorts[i]
	draws := rng.Stream(v.session.Bits(s.started[i]))
	s.add(i, at, activeSession{
		draws: draws, remaining: v.length(draws.Bits(lengthWord)), page: v.start.draw(draws.Bits(pageWord)), cohort: uint16(i), latest: true,
	})
}

// due tells when the next request is; false for none.
func (s *activeSessions) next() (at time.Duration, ok bool) {
	if s.due.Len() == 0 {
		return 0, false
	}
	return s.due.First().At, true
}

// take makes the next request and moves its session on. The item is left to the cursor, with a word for it.
func (s *activeSessions) take(a *Arrival) (item uint64) {
	due := *s.due.First()
	v := &s.slots[due.Value]
	cohort := s.plan.sessionCohorts[v.cohort].cohort
	if v.number == 0 {
		s.number++
		v.number = s.number
		if u := s.plan.users[cohort]; u.perArrival {
			v.user = u.first + (v.number-1)%u.count
		}
	}
	*a = Arrival{At: due.At, User: v.user, Cohort: cohort, Route: v.page, Session: v.number}
	item = word(v.draws, v.step, itemWord)
	visitor, opens := int(v.cohort), v.latest
	v.latest = false
	s.advance(v, due)
	if opens {
		s.start(visitor)
	}
	return item
}

// advance plans the next request of the session that made the first request that is due, or ends the session.
func (s *activeSessions) advance(v *activeSession, due heap.Item[uint32]) {
	by := s.plan.sessionCohorts[v.cohort]
	v.remaining--
	if v.remaining > 0 {
		due.At += by.think.draw(word(v.draws, v.step, thinkWord))
		if due.At < s.plan.duration {
			v.page = by.follow(v.page, word(v.draws, v.step, followWord))
			v.step++
			s.due.ReplaceFirst(due)
			return
		}
	}
	s.due.Pop()
	s.free = append(s.free, due.Value)
}
