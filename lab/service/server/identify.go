package server

import (
	"slices"
	"strings"
	"sync/atomic"

	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/traceheader"
)

// identifier tells who sends a request.
type identifier struct {
	names      []string // of cohorts, and last the word for none
	indices    map[string]uint16
	recogniser *loadgen.CohortMatcher
	// userInHeaders has the cohorts whose users can be told by what they send.
	userInHeaders []bool
	// nextSeq numbers requests without a mark.
	nextSeq *atomic.Uint64
}

// unknownCohort is what metrics call the cohort of a request that is of none.
const unknownCohort = "unknown"

func newIdentifier(w *loadgen.Workload) identifier {
	c := identifier{indices: map[string]uint16{}, recogniser: w.CohortMatcher(), nextSeq: &atomic.Uint64{}}
	for i, cohort := range w.Cohorts {
		c.names = append(c.names, cohort.Name)
		c.indices[cohort.Name] = uint16(i)
		told := func(x loadgen.Pair) bool { return strings.Contains(x.Value, "{user}") }
		c.userInHeaders = append(c.userInHeaders, slices.ContainsFunc(cohort.Headers, told) || slices.ContainsFunc(cohort.Cookies, told))
	}
	c.userInHeaders = append(c.userInHeaders, false)
	c.names = append(c.names, unknownCohort)
	return c
}

// identify fills in whose request it is and which one. The mark of a plan says it; without one the headers and cookies tell the
// cohort and perhaps the user, and the request gets a number of its own.
func (c *identifier) identify(v *activeRequest, seed uint64) {
	m, marked := traceheader.Parse(v.request.Header.Get(traceheader.RequestHeader))
	number, known := c.indices[m.Cohort]
	switch {
	case marked && known:
	case marked:
		number, _ = c.recognise(v)
	default:
		m = traceheader.Request{Seq: c.nextSeq.Add(1) - 1, Seed: seed}
		number, m.User = c.recognise(v)
		if !c.userInHeaders[number] {
			m.User = uint32(m.Seq) // another user each time
		}
	}
	v.req = service.Request{Seq: m.Seq, User: m.User, Cohort: number, Attempt: uint8(m.Attempt)}
	v.seed, v.traced = m.Seed, marked
}

// recognise returns the cohort that a request looks like. One of no cohort has the number after the last.
func (c *identifier) recognise(v *activeRequest) (cohort uint16, user uint32) {
	n, user, ok := c.recogniser.Cohort(v.Header, v.Cookie)
	if !ok {
		return uint16(len(c.names) - 1), 0
	}
	return uint16(n), user
}

// traceHeader is what goes with a call of another service on a request's behalf.
func (c *identifier) traceHeader(v *activeRequest) string {
	if v.traced {
		return v.request.Header.Get(traceheader.RequestHeader)
	}
	m := traceheader.Request{Seq: v.req.Seq, Attempt: int(v.req.Attempt), User: v.req.User, Seed: v.seed}
	if int(v.req.Cohort) < len(c.names)-1 {
		m.Cohort = c.names[v.req.Cohort]
	}
	return m.String()
}
