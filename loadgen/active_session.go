package loadgen

import (
	"time"

	"coalmine/loadgen/heap"
	"coalmine/loadgen/rng"
)

// activeSessions are the sessions in progress while a cursor moves through a plan. Slots are
// reused.
type activeSessions struct {
	plan *Plan
	// starts and started are indexed by session cohort: when its sessions start, and how many have.
	starts  []process
	started []uint64
	// due holds the slots by the time of their next request: one for each active session and one for
	// the next session of each cohort.
	due   heap.Heap[uint32]
	slots []activeSession
	free  []uint32
	// number is that of the last session that made a request.
	number uint32
}

// activeSession is a session in progress.
type activeSession struct {
	draws rng.Stream
	// step counts the session's requests since the start of traffic; remaining counts those to
	// come.
	step, remaining uint32
	// number is 0 before the first request.
	number, user uint32
	// page is the route of the next request.
	page   uint16
	cohort uint16
	// latest is set for the most recent session of its cohort. Its first request creates the next
	// one.
	latest bool
}

// newSessions returns the sessions at the start of traffic, or nil for a plan without sessions.
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

// key breaks ties by cohort, then by the order in which sessions start.
func key(visitor int, session uint64) uint64 { return uint64(visitor)<<48 | session }

// add stores a session, with a user unless its cohort has one user per session.
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

// start creates the next session of cohort i, if there is one.
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

// next returns the time of the next request, or false if there is none.
func (s *activeSessions) next() (at time.Duration, ok bool) {
	if s.due.Len() == 0 {
		return 0, false
	}
	return s.due.First().At, true
}

// take returns the next request in a and advances its session. The cursor draws the item from the
// returned word.
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

// advance schedules the next request of the session that is due first, or ends that session.
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
