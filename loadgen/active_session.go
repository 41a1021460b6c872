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
	// due holds the slots by the time of their next request: one for each active session and one
	// for the next session of each cohort.
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
	for i, c := range p.sessionCohorts {
		s.starts = append(s.starts, p.process(c.perRequest, c.gaps, c.thin))
		s.resume(i, before)
		s.start(i)
	}
	return s
}

// key breaks ties by cohort, then by the order in which sessions start.
func key(cohort int, session uint64) uint64 { return uint64(cohort)<<48 | session }

// add stores a session, with a user unless its cohort has one user per session.
func (s *activeSessions) add(i int, at time.Duration, session activeSession) {
	n := s.started[i]
	s.started[i]++
	if at >= s.plan.duration {
		return
	}
	if u := s.plan.users[s.plan.sessionCohorts[i].cohort]; !u.perArrival {
		session.user = u.first + uint32(rng.Below(session.draws.Bits(userWord), uint64(u.count)))
	}
	slot := uint32(len(s.slots))
	if last := len(s.free) - 1; last >= 0 {
		slot, s.free = s.free[last], s.free[:last]
		s.slots[slot] = session
	} else {
		s.slots = append(s.slots, session)
	}
	s.due.Push(at, key(i, n), slot)
}

// start creates the next session of cohort i, if there is one.
func (s *activeSessions) start(i int) {
	at, ok := s.starts[i].next()
	if !ok {
		return
	}
	c := s.plan.sessionCohorts[i]
	draws := rng.Stream(c.session.Bits(s.started[i]))
	s.add(i, at, activeSession{
		draws: draws, remaining: c.length(draws.Bits(lengthWord)), page: c.start.draw(draws.Bits(pageWord)),
		cohort: uint16(i), latest: true,
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
	session := &s.slots[due.Value]
	cohort := s.plan.sessionCohorts[session.cohort].cohort
	if session.number == 0 {
		s.number++
		session.number = s.number
		if u := s.plan.users[cohort]; u.perArrival {
			session.user = u.first + (session.number-1)%u.count
		}
	}
	*a = Arrival{At: due.At, User: session.user, Cohort: cohort, Route: session.page, Session: session.number}
	item = word(session.draws, session.step, itemWord)
	index, latest := int(session.cohort), session.latest
	session.latest = false
	s.advance(session, due)
	if latest {
		s.start(index)
	}
	return item
}

// advance schedules the next request of the session that is due first, or ends that session.
func (s *activeSessions) advance(session *activeSession, due heap.Item[uint32]) {
	cohort := s.plan.sessionCohorts[session.cohort]
	session.remaining--
	if session.remaining > 0 {
		due.At += cohort.think.draw(word(session.draws, session.step, thinkWord))
		if due.At < s.plan.duration {
			session.page = cohort.follow(session.page, word(session.draws, session.step, followWord))
			session.step++
			s.due.ReplaceFirst(due)
			return
		}
	}
	s.due.Pop()
	s.free = append(s.free, due.Value)
}
