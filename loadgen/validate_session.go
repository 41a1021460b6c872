package loadgen

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Bounds of sessions. An active session takes some 60 B of memory, and creating a cursor draws the
// past steps of those that are active at the start.
const (
	maxLength         = 1000
	maxActiveSessions = 1 << 20
	maxSteps          = 1 << 24
)

func (s *Session) check(f *findings, path string, routes map[string]Route) {
	if !(s.Length >= 1 && s.Length <= maxLength) {
		f.add(path+".length", "%g requests is not between 1 and %d", s.Length, maxLength)
	}
	s.Think.check(f, path+".think")
	checkWeights(f, path+".start", s.Start, routes, "set at least one first page")
	for _, page := range slices.Sorted(maps.Keys(s.Next)) {
		at := fmt.Sprintf("%s.next[%s]", path, page)
		if _, ok := routes[page]; !ok {
			f.add(at, "route %q is not in routes", page)
		}
		checkWeights(f, at, s.Next[page], routes, "remove the page to continue as by start")
	}
	reached := s.reached()
	for _, page := range slices.Sorted(maps.Keys(s.Next)) {
		if !reached[page] {
			f.add(fmt.Sprintf("%s.next[%s]", path, page),
				"no session reaches page %q; link to it from start or another page, or remove it", page)
		}
	}
}

// reached returns the pages that sessions can reach. A page in Next that no session reaches is
// reported as a mistake.
func (s *Session) reached() map[string]bool {
	reached := map[string]bool{}
	todo := []map[string]float64{s.Start}
	for len(todo) > 0 {
		weights := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for page, w := range weights {
			if w > 0 && !reached[page] {
				reached[page] = true
				todo = append(todo, s.Next[page])
			}
		}
	}
	return reached
}

func (t Think) check(f *findings, path string) {
	set := 0
	for _, part := range []bool{t.Constant != 0, t.Lognormal != nil, t.Pareto != nil} {
		if part {
			set++
		}
	}
	switch {
	case set != 1:
		f.add(path, "has %d distributions; set exactly one of constant, lognormal and pareto", set)
	case t.Lognormal != nil:
		checkThink(f, path+".lognormal.p50", t.Lognormal.P50, 1)
		checkThink(f, path+".lognormal.p99", t.Lognormal.P99, t.Lognormal.P50)
	case t.Pareto != nil:
		checkThink(f, path+".pareto.min", t.Pareto.Min, 1)
		checkThink(f, path+".pareto.max", t.Pareto.Max, t.Pareto.Min)
		if a := t.Pareto.Alpha; !(a >= 1.01 && a <= 100) {
			f.add(path+".pareto.alpha", "%g is not between 1.01 and 100; at 1 and below think times have no mean", a)
		}
	default:
		checkThink(f, path+".constant", t.Constant, 1)
	}
}

func checkThink(f *findings, path string, d, least time.Duration) {
	if d < least || d > maxThink {
		f.add(path, "%v is not between %v and %v", d, max(least, 1), maxThink)
	}
}

// checkActiveSessions bounds the number of sessions that a valid workload has active at once.
func (w Workload) checkActiveSessions(f *findings) {
	sessions, steps := 0.0, 0.0
	for i := range w.Cohorts {
		c := &w.Cohorts[i]
		if c.Session == nil {
			continue
		}
		starts := w.Rate.peak() * w.Bursts.peak() * c.Share / c.Session.Length
		here := float64(starts * (c.Session.Length - 1) * c.Session.Think.compile().mean())
		sessions += here
		steps += float64(here * c.Session.Length)
		if !(sessions <= maxActiveSessions) || !(steps <= maxSteps) {
			f.add(fmt.Sprintf("cohorts[%d].session", i), "about %.0f sessions of %g requests each would be active at "+
				"once; the maximum is %d sessions "+
				"with %d requests in total: lower the rate, the share, the length or the think time",
				here, c.Session.Length, maxActiveSessions, maxSteps)
			return
		}
	}
}
