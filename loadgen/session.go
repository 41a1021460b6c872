package loadgen

import "coalmine/loadgen/rng"

// sessionCohort is the compiled form of a cohort with sessions. Each session draws from a stream of
// its own, so it does not depend on other sessions.
type sessionCohort struct {
	cohort uint16
	// perRequest is the number of sessions per request of the curve.
	perRequest float64
	// lengths scales exponential draws to session lengths. meanThinks is the mean number of think
	// times.
	lengths, meanThinks float64
	think               thinkDist
	// start weighs first pages; next weighs the pages that follow each page, nil meaning start.
	start *mix
	next  []*mix
	// Random streams: gaps and thin for the process of starts, session for each session by its
	// number within the cohort, count and past for the sessions that started before time 0.
	gaps, thin, session, count, past rng.Stream
}

// newSessionCohort compiles the session of a cohort. The streams are named after the cohort, so
// that its sessions do not change when other cohorts are added or removed.
func newSessionCohort(w *Workload, cohort int, numbers map[string]int, seed uint64) *sessionCohort {
	c := &w.Cohorts[cohort]
	s := c.Session
	stream := func(of string) rng.Stream { return rng.New(seed, "loadgen.session."+of+"/"+c.Name) }
	v := &sessionCohort{
		cohort: uint16(cohort), perRequest: c.Share / s.Length, meanThinks: s.Length - 1, think: s.Think.compile(),
		next: make([]*mix, len(w.Routes)),
		gaps: stream("gaps"), thin: stream("thin"), session: stream("draws"), count: stream("count"),
		past: stream("past"),
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

// length returns the number of requests of a session, or the remaining number of an active one. It
// is geometric: an exponential draw rounded up. The draw uses 52 bits and is therefore below 37, so
// a length is at most 37 times its mean, plus one.
func (c *sessionCohort) length(word uint64) uint32 {
	return 1 + uint32(rng.Exponential(word)*c.lengths)
}

// follow returns the page that follows a page.
func (c *sessionCohort) follow(page uint16, word uint64) uint16 {
	m := c.start
	if next := c.next[page]; next != nil {
		m = next
	}
	return m.draw(word)
}

// Words of a session's stream. From wordsOfStep on they belong to steps.
const (
	lengthWord = iota
	userWord
	pageWord
	wordsOfStep
)

// Words of a step, for the request and for the choice of the next one.
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
