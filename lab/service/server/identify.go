package server

import (
	"slices"
	"strings"
	"sync/atomic"

	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/traceheader"
)

// identifier determines the cohort and user of a request.
type identifier struct {
	names      []string // of cohorts; the last one is unknownCohort
	indices    map[string]uint16
	recogniser *loadgen.CohortMatcher
	// userInHeaders is true for cohorts whose headers or cookies contain the user.
	userInHeaders []bool
	// nextSeq numbers requests without a trace header.
	nextSeq *atomic.Uint64
}

// unknownCohort is the cohort in metrics of requests that match none.
const unknownCohort = "unknown"

func newIdentifier(w *loadgen.Workload) identifier {
	c := identifier{indices: map[string]uint16{}, recogniser: w.CohortMatcher(), nextSeq: &atomic.Uint64{}}
	for i, cohort := range w.Cohorts {
		c.names = append(c.names, cohort.Name)
		c.indices[cohort.Name] = uint16(i)
		hasUser := func(x loadgen.Pair) bool { return strings.Contains(x.Value, "{user}") }
		c.userInHeaders = append(c.userInHeaders,
			slices.ContainsFunc(cohort.Headers, hasUser) || slices.ContainsFunc(cohort.Cookies, hasUser))
	}
	c.userInHeaders = append(c.userInHeaders, false)
	c.names = append(c.names, unknownCohort)
	return c
}

// identify sets cohort, user and number of a request. They come from the trace header of a plan;
// without it, headers and cookies determine the cohort and, if possible, the user, and the request
// gets the next number.
func (c *identifier) identify(ar *activeRequest, seed uint64) {
	m, marked := traceheader.Parse(ar.request.Header.Get(traceheader.RequestHeader))
	number, known := c.indices[m.Cohort]
	switch {
	case marked && known:
	case marked:
		number, _ = c.recognise(ar)
	default:
		m = traceheader.Request{Seq: c.nextSeq.Add(1) - 1, Seed: seed}
		number, m.User = c.recognise(ar)
		if !c.userInHeaders[number] {
			m.User = uint32(m.Seq) // a new user for each request
		}
	}
	ar.req = service.Request{Seq: m.Seq, User: m.User, Cohort: number, Attempt: uint8(m.Attempt)}
	ar.seed, ar.traced = m.Seed, marked
	ar.extra = ar.request.Header.Get(extraHeader) != ""
}

// recognise returns the cohort and user that match a request's headers, or the index of
// unknownCohort.
func (c *identifier) recognise(ar *activeRequest) (cohort uint16, user uint32) {
	n, user, ok := c.recogniser.Cohort(ar.Header, ar.Cookie)
	if !ok {
		return uint16(len(c.names) - 1), 0
	}
	return uint16(n), user
}

// traceHeader returns the trace header of a call on behalf of a request. The service that is called
// draws its random numbers by the request's attempt, plus draws.
func (c *identifier) traceHeader(ar *activeRequest, draws uint8) string {
	if ar.traced && draws == 0 {
		return ar.request.Header.Get(traceheader.RequestHeader)
	}
	m := traceheader.Request{Seq: ar.req.Seq, Attempt: int(ar.req.Attempt + draws), User: ar.req.User, Seed: ar.seed}
	if traced, ok := traceheader.Parse(ar.request.Header.Get(traceheader.RequestHeader)); ok {
		m.Cohort = traced.Cohort
	} else if int(ar.req.Cohort) < len(c.names)-1 {
		m.Cohort = c.names[ar.req.Cohort]
	}
	return m.String()
}
