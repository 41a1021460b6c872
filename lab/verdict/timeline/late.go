package timeline

import (
	"math"
	"time"

	"coalmine/lab/event"
)

// lateTime is how long after its first step a canary may be unknown to clients' proxies, and what
// they were asked meanwhile unanswered: they wait 3 s, and ask again after at most 60 s and a tenth
// (docs/linkerd.md, the late canary).
const lateTime = 75 * time.Second

// waitTime is how much of the canary's part of the traffic waits in vain, with some reserve: after 3 s
// a proxy that does not know the canary sends that part elsewhere.
const waitTime = 10 * time.Second

// lateRequests count what proxies answered by 5xx in that time, because the canary's part of the
// traffic had no endpoint that they knew.
type lateRequests struct {
	counts map[Key]int
	n      int
	// expected is how many requests were the canary's part in [waitTime].
	expected float64
	// unanswered counts the same with those of cohorts that have no other backend.
	unanswered int
}

// foldLate counts the requests of a second that met a canary which proxies did not know yet.
func (t *Timeline) foldLate(f event.Traffic) {
	step, ok := t.lateStep(time.Duration(f.From))
	if at := time.Duration(f.From); at >= step.At && at < step.At+lateTime {
		for _, c := range f.Cells {
			t.late.unanswered += unanswered(c)
		}
	}
	if !ok {
		return
	}
	if t.late.counts == nil {
		t.late.counts = map[Key]int{}
	}
	for _, c := range f.Cells {
		if time.Duration(f.From) < step.At+waitTime {
			t.late.expected += float64(c.N*step.Weight) / 100
		}
		if n := unanswered(c); n > 0 {
			t.late.counts[KeyOf(c)] += n
			t.late.n += n
		}
	}
}

// unanswered is how many of a cell's requests a proxy answered by 5xx, since it had no endpoint.
func unanswered(c event.Cell) int {
	if c.Workload != "" {
		return 0
	}
	return min(c.ByMesh, c.Errors)
}

// Unanswered counts requests that proxies answered by 5xx in the time after the canary's first step in
// which they may not know it, those of cohorts that have no other backend, too.
func (t *Timeline) Unanswered() int { return t.late.unanswered }

// lateStep returns the canary's first step, and whether a moment is so soon after it that proxies may
// not know the canary, whose part of the traffic explains it. A step that leaves a cohort no other
// backend is none: that is the guardrails' choice.
func (t *Timeline) lateStep(at time.Duration) (Step, bool) {
	for _, s := range t.Steps {
		if s.Weight == 0 && !s.Matched {
			continue
		}
		return s, !t.exclusive(s) && s.Weight < 100 && at >= s.At && at < s.At+lateTime
	}
	return Step{}, false
}

// exclusive reports whether a step leaves a cohort no other backend. Session affinity does not: its
// rule only keeps users whom the weights have sent to the canary.
func (t *Timeline) exclusive(s Step) bool {
	r, _ := t.RouteAt(s.Moment)
	return s.Matched && !r.Sticky
}

// Late counts requests that a proxy answered by 5xx since it did not know the new canary yet, which
// every rollout in steps may have. It is 0 for all keys if there were more than the canary's part of
// the traffic explains.
func (t *Timeline) Late(k Key) int {
	if limit := t.late.expected + 3*math.Sqrt(t.late.expected); float64(t.late.n) > limit {
		return 0
	}
	return t.late.counts[k]
}
