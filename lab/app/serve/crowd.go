package serve

import (
	"slices"
	"strings"
	"sync/atomic"

	"coalmine/lab/app"
	"coalmine/loadgen"
	"coalmine/loadgen/mark"
)

// crowd tells who sends a request.
type crowd struct {
	names      []string // of cohorts, and last the word for none
	numbers    map[string]uint16
	recogniser *loadgen.Recogniser
	// personal has the cohorts whose users can be told by what they send.
	personal []bool
	// next numbers requests without a mark.
	next *atomic.Uint64
}

// stranger is what metrics call the cohort of a request that is of none.
const stranger = "unknown"

func newCrowd(w *loadgen.Workload) crowd {
	c := crowd{numbers: map[string]uint16{}, recogniser: w.Recogniser(), next: &atomic.Uint64{}}
	for i, cohort := range w.Cohorts {
		c.names = append(c.names, cohort.Name)
		c.numbers[cohort.Name] = uint16(i)
		told := func(x loadgen.Pair) bool { return strings.Contains(x.Value, "{user}") }
		c.personal = append(c.personal, slices.ContainsFunc(cohort.Headers, told) || slices.ContainsFunc(cohort.Cookies, told))
	}
	c.personal = append(c.personal, false)
	c.names = append(c.names, stranger)
	return c
}

// identify fills in whose request it is and which one. The mark of a plan says it; without one the headers and cookies tell the
// cohort and perhaps the user, and the request gets a number of its own.
func (c *crowd) identify(v *visit, seed uint64) {
	m, marked := mark.Parse(v.request.Header.Get(mark.RequestHeader))
	number, known := c.numbers[m.Cohort]
	switch {
	case marked && known:
	case marked:
		number, _ = c.recognise(v)
	default:
		m = mark.Request{Seq: c.next.Add(1) - 1, Seed: seed}
		number, m.User = c.recognise(v)
		if !c.personal[number] {
			m.User = uint32(m.Seq) // another user each time
		}
	}
	v.job = app.Request{Seq: m.Seq, User: m.User, Cohort: number, Attempt: uint8(m.Attempt)}
	v.seed, v.marked = m.Seed, marked
}

// recognise returns the cohort that a request looks like. One of no cohort has the number after the last.
func (c *crowd) recognise(v *visit) (cohort uint16, user uint32) {
	n, user, ok := c.recogniser.Cohort(v.Header, v.Cookie)
	if !ok {
		return uint16(len(c.names) - 1), 0
	}
	return uint16(n), user
}

// mark is what goes with a call of another service on a request's behalf.
func (c *crowd) mark(v *visit) string {
	if v.marked {
		return v.request.Header.Get(mark.RequestHeader)
	}
	m := mark.Request{Seq: v.job.Seq, Attempt: int(v.job.Attempt), User: v.job.User, Seed: v.seed}
	if int(v.job.Cohort) < len(c.names)-1 {
		m.Cohort = c.names[v.job.Cohort]
	}
	return m.String()
}
