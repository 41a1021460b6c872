package loadgen

import "coalmine/loadgen/rng"

// sessionCohort is a cohort with sessions, ready for use. All draws of a session come from a stream of its own, so that sessions do not
// depend on what happens around them.
type sessionCohort struct {
	cohort uint16
	// perRequest is the number of sessions for each request of the curve.
	perRequest float64
	// lengths makes lengths of exponential draws. thoughts is the mean number of think times.
	lengths, meanThinks float64
	think               thinkDist
	// start weighs first pages, next those that follow a page; nil begins anew.
	start *mix
	next  []*mix
	// Streams: of the process of starts (gaps, thin), of each session by its number within the cohort, and of what sessions had
	// behind them when traffic began (count, past).
	gaps, thin, session, count, past rng.Stream
}

// newSessionCohort compiles the session of a cohort. The streams have the cohort's name, so that its sessions stay the same when
// others come and go.
func newSessionCohort(w *Workload, cohort int, numbers map[string]int, seed uint64) *sessionCohort {
	c := &w.Cohorts[cohort]
	s := c.Session
	stream := func(of string) rng.Stream { return rng.New(seed, "loadgen.session."+of+"/"+c.Name) }
	v := &sessionCohort{
		cohort: uint16(cohort), perRequest: c.Share / s.Length, meanThinks: s.Length - 1, think: s.Think.compile(), next: make([]*mix, len(w.Routes)),
		gaps: stream("gaps"), thin: stream("thin"), session: stream("draws"), count: stream("count"), past: stream("past"),
	}
	if s.Length > 1 {
		v.lengths = -1 / rng.Log(1-1/s.Length)
	}
	start := newMix(numbers, s.Start)
	v.start = &start
	for page, weights := range s.Next {
		m := newMix(numbers, weights)
		v.next[numbers[page]] = &m
	}
	return v
}

// length makes the number of requests of a session, or of those that are left to one under way: it is geometric, which is an
// exponential draw rounded up. A draw comes of 52 bits, so it is under 37 and a length at most 37 times its mean, plus one.
func (v *sessionCohort) length(word uint64) uint32 {
	return 1 + uint32(rng.Exponential(word)*v.lengths)
}

// follow makes the page after a page.
func (v *sessionCohort) follow(page uint16, word uint64) uint16 {
	m := v.start
	if next := v.next[page]; next != nil {
		m = next
	}
	return m.draw(word)
}

// Words of a session's stream. Those from wordsOfStep on belong to steps.
const (
	lengthWord = iota
	userWord
	pageWord
	wordsOfStep
)

// Words of a step, for the request and for the way to the next one.
const (
	itemWord = iota
	thinkWord
	followWord
	wordsPerStep
)

// word returns a word of a step of a session.
func word(draws rng.Stream, step uint32, which uint64) uint64 {
	return draws.Bits(wordsOfStep + uint64(step)*wordsPerStep + which)
}
