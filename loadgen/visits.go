package loadgen

import (
	"time"

	"coalmine/loadgen/chance"
)

// visits are the sessions of a plan that are under way, as a cursor moves on. Storage is used again.
type visits struct {
	plan *Plan
	// starts and begun are by visitor: when sessions start, and how many have.
	starts []process
	begun  []uint64
	// due holds the next request of each session that is under way and of the next one of each visitor.
	due  agenda
	open []visit
	free []uint32
	// number of the last session that made a request.
	number uint32
}

// visit is a session under way.
type visit struct {
	draws chance.Stream
	// step counts its requests so far, as of the begin of traffic; left those to come.
	step, left uint32
	// number is 0 before the first request.
	number, user uint32
	// page is the route of the request to come.
	page    uint16
	visitor uint16
	// opens is set for the last session of its visitor, after which the next one is to be made.
	opens bool
}

// newVisits returns the sessions at the begin of traffic; nil for a plan without.
func (p *Plan) newVisits() *visits {
	if len(p.visitors) == 0 {
		return nil
	}
	s := &visits{plan: p, begun: make([]uint64, len(p.visitors))}
	before := p.bursts.history()
	for i, v := range p.visitors {
		s.starts = append(s.starts, p.process(v.part, v.gaps, v.thin))
		s.resume(i, before)
		s.begin(i)
	}
	return s
}

// key breaks ties: by visitor, then by the order of starts.
func key(visitor int, session uint64) uint64 { return uint64(visitor)<<48 | session }

// add puts a session in place, with a user unless it gets a fresh one.
func (s *visits) add(i int, at time.Duration, v visit) {
	session := s.begun[i]
	s.begun[i]++
	if at >= s.plan.duration {
		return
	}
	if u := s.plan.users[s.plan.visitors[i].cohort]; !u.fresh {
		v.user = u.first + uint32(chance.Below(v.draws.Bits(userWord), uint64(u.count)))
	}
	place := uint32(len(s.open))
	if n := len(s.free); n > 0 {
		place, s.free = s.free[n-1], s.free[:n-1]
		s.open[place] = v
	} else {
		s.open = append(s.open, v)
	}
	s.due.push(appointment{at: at, seq: key(i, session), place: place})
}

// begin makes the next session of a visitor, if there is one.
func (s *visits) begin(i int) {
	at, ok := s.starts[i].next()
	if !ok {
		return
	}
	v := s.plan.visitors[i]
	draws := chance.Stream(v.session.Bits(s.begun[i]))
	s.add(i, at, visit{
		draws: draws, left: v.length(draws.Bits(lengthWord)), page: v.start.draw(draws.Bits(pageWord)), visitor: uint16(i), opens: true,
	})
}

// due tells when the next request is; false for none.
func (s *visits) next() (at time.Duration, ok bool) {
	if s.due.len() == 0 {
		return 0, false
	}
	return s.due.first().at, true
}

// take makes the next request and moves its session on. The item is left to the cursor, with a word for it.
func (s *visits) take(a *Arrival) (item uint64) {
	due := *s.due.first()
	v := &s.open[due.place]
	cohort := s.plan.visitors[v.visitor].cohort
	if v.number == 0 {
		s.number++
		v.number = s.number
		if u := s.plan.users[cohort]; u.fresh {
			v.user = u.first + (v.number-1)%u.count
		}
	}
	*a = Arrival{At: due.at, User: v.user, Cohort: cohort, Route: v.page, Session: v.number}
	item = word(v.draws, v.step, itemWord)
	visitor, opens := int(v.visitor), v.opens
	v.opens = false
	s.move(v, due)
	if opens {
		s.begin(visitor)
	}
	return item
}

// move plans the next request of the session that made the first request that is due, or ends the session.
func (s *visits) move(v *visit, due appointment) {
	by := s.plan.visitors[v.visitor]
	v.left--
	if v.left > 0 {
		due.at += by.pause.draw(word(v.draws, v.step, thinkWord))
		if due.at < s.plan.duration {
			v.page = by.follow(v.page, word(v.draws, v.step, followWord))
			v.step++
			s.due.sink(due)
			return
		}
	}
	s.due.pop()
	s.free = append(s.free, due.place)
}
