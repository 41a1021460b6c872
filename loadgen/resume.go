package loadgen

import "coalmine/loadgen/rng"

// resume adds the sessions of cohort i that are active when traffic starts, as if the rate had
// always been what it is at the start. So sessions make requests at their full rate from the first
// instant. They are drawn from the stationary distribution, which is exact and needs no run-up.
//
// In the long run the number of sessions between their requests k and k+1, counted from 0, is
// Poisson with mean λ·q^(k+1)·E(T), for λ starts per second, probability q of another request and
// think times T. Over all k the sum is Poisson with mean λ·(length-1)·E(T), and k is geometric. The
// rest of a session is as long as a whole one, because the geometric distribution is memoryless.
// During bursts more sessions start: sessions are drawn at the rate of a burst, and those that
// started in calm times are thinned.
func (s *activeSessions) resume(i int, before *history) {
	c := s.plan.sessionCohorts[i]
	expected := c.active(s.plan.workload.Rate.At(0) * s.plan.workload.Bursts.peak())
	sum := 0.0
	for n := uint64(0); ; n++ {
		if sum += rng.Exponential(c.count.Bits(n)); sum >= expected {
			return
		}
		s.drawOngoing(i, rng.Stream(c.past.Bits(n)), before)
	}
}

// active returns the mean number of sessions that are between two of their requests, for a given
// request rate of the whole workload.
func (c *sessionCohort) active(rate float64) float64 {
	return rate * c.perRequest * c.meanThinks * c.think.mean()
}

// Words of a session that started before time 0, and of each of its past steps.
const (
	doneWord = iota
	longWord
	partWord
	thinWord
	oldWord
	wordsOfPast
)

// drawOngoing draws a session that started before time 0 and adds it, unless it has already ended.
func (s *activeSessions) drawOngoing(i int, past rng.Stream, before *history) {
	c := s.plan.sessionCohorts[i]
	age, whole, ok := c.think.ongoing(past.Bits(longWord), past.Bits(partWord))
	rest := whole - age
	page := c.start.draw(past.Bits(wordsOfPast))
	for k := range c.length(past.Bits(doneWord)) { // the last round is the think time in progress
		step := wordsOfPast + 1 + 2*uint64(k)
		page = c.follow(page, past.Bits(step))
		if before != nil && k > 0 {
			age += c.think.draw(past.Bits(step + 1))
		}
	}
	if before != nil && !before.bursting(age, past.Bits(oldWord)) {
		ok = ok && rng.Unit(past.Bits(thinWord))*s.plan.workload.Bursts.Factor < 1
	}
	if ok {
		draws := rng.Stream(c.session.Bits(s.started[i]))
		s.add(i, rest, activeSession{draws: draws, remaining: c.length(draws.Bits(lengthWord)), page: page,
			cohort: uint16(i)})
	}
}
