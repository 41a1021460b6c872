package conformance

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
)

// This file checks where requests are routed.

func checkRoutes(l *Log, found *Findings) {
	for _, r := range l.Timeline.Routes {
		if r.Share > 0 && !slices.ContainsFunc(l.Timeline.Steps, func(s step) bool {
			return s.Weight == r.Share && l.near(s.At, r.At)
		}) {
			found.Addf("the route at %v gives the canary %d %%, no status has that weight (%v)", r.At, r.Share,
				l.Tolerance.Follow)
		}
	}
	if n := len(l.Timeline.Routes); n == 0 || l.Timeline.Routes[n-1].Share != 0 {
		found.Addf("the last of %d routes does not send all requests to the primary", n)
	}
	for at, c := range facts[event.Canary](l) {
		if c.Phase != event.PhaseProgressing || c.Weight == 0 {
			continue
		}
		share := -1
		for _, r := range l.Timeline.Routes {
			if r.At <= at+l.Tolerance.Follow.Duration {
				share = r.Share
			}
			if share == c.Weight {
				break
			}
		}
		if share != c.Weight {
			found.Addf("the status at %v has weight %d, the route gives %d %% (%v)", at, c.Weight, share,
				l.Tolerance.Follow)
		}
	}
}

// near reports whether two facts may be about the same change.
func (l *Log) near(a, b time.Duration) bool { return (a - b).Abs() <= l.Tolerance.Follow.Duration }

func (l *Log) canary(c event.Cell) bool { return c.Workload == l.service() && !deniedByMesh(c) }
func (l *Log) served(c event.Cell) bool { return c.Workload != "" && !deniedByMesh(c) }

func checkWeights(l *Log, found *Findings) {
	var all draws
	for _, f := range l.routeSpans() {
		if f.At < l.Timeline.Released.At {
			f.from = max(f.from, l.Timeline.Released.At)
		}
		n, hits := count(l.cells(f.from, f.to), l.served), count(l.cells(f.from, f.to), l.canary)
		p := float64(f.Share) / 100
		var one draws
		one.add(n, hits, p)
		if one.exceeds(l.Tolerance.Stray) {
			found.Addf("from %v to %v the route gives the canary %d %%, it got %d of %d requests, more than "+
				"%.0f off (%v)", f.from, f.to,
				f.Share, hits, n, one.bound(), l.Tolerance.Stray)
		}
		if f.Share > 0 {
			all.add(n, hits, p)
		}
	}
	if all.n < minRequests {
		found.Addf("only %d requests were answered while the canary had a weight", all.n)
	}
	if all.exceeds(l.Tolerance.Stray) {
		found.Addf("over all steps the canary got %d of %d requests, %.0f are expected, more than %.0f off", all.hits,
			all.n, all.expected, all.bound())
	}
}

// headerCohort is matched by a header, the cohorts that start with cookieCohorts by a cookie.
const (
	headerCohort  = "testers"
	cookieCohorts = "insiders"
)

func checkHeader(l *Log, found *Findings) { l.checkMatched(found, headerCohort) }

func checkCookie(l *Log, found *Findings) {
	for _, c := range l.Spec.Scenario.Traffic.Cohorts {
		if strings.HasPrefix(c.Name, cookieCohorts) {
			l.checkMatched(found, c.Name)
		}
	}
}

// minCohortRequests is the least number of requests of a cohort for a check to be meaningful.
const minCohortRequests = 50

// checkMatched checks that a cohort is routed to the canary during the experiment. Requests that
// nobody served were not misrouted, but there may be few of them.
func (l *Log) checkMatched(found *Findings, cohort string) {
	n, astray, lost := 0, 0, 0
	for _, f := range l.routeSpans() {
		if !f.Matched || f.MatchShare != 100 {
			continue
		}
		of := func(has func(event.Cell) bool) int {
			return count(l.cells(f.from, f.to), func(c event.Cell) bool { return c.Cohort == cohort && has(c) })
		}
		n += of(func(event.Cell) bool { return true })
		astray += of(func(c event.Cell) bool { return c.Workload != "" && !l.canary(c) })
		lost += of(func(c event.Cell) bool { return c.Workload == "" })
	}
	if n < minCohortRequests {
		found.Addf("cohort %s sent only %d requests during the experiment", cohort, n)
	}
	if float64(astray) > l.Tolerance.Stray.Of*float64(n) {
		found.Addf("%d of %d requests of cohort %s were served by another workload than the canary (%v)", astray, n,
			cohort, l.Tolerance.Stray)
	}
	if float64(lost) > l.Tolerance.Noise.Of*float64(n) {
		found.Addf("%d of %d requests of cohort %s were served by no workload (%v)", lost, n, cohort, l.Tolerance.Noise)
	}
}

func checkOutsiders(l *Log, found *Findings) {
	n, canary := 0, 0
	for c := range l.cells(l.Timeline.Released.At, l.end()) {
		if c.Cohort == headerCohort || strings.HasPrefix(c.Cohort, cookieCohorts) {
			continue
		}
		n += c.N
		if l.canary(c) {
			canary += c.N
		}
	}
	if n < minRequests {
		found.Addf("only %d requests were outside of the experiment", n)
	}
	if canary > 0 {
		found.Addf("%d of %d requests from outside of the experiment reached the canary", canary, n)
	}
	for _, f := range l.routeSpans() {
		if f.Matched {
			continue
		}
		if hits := count(l.cells(max(f.from, l.Timeline.Released.At), f.to), l.canary); hits > 0 {
			found.Addf("from %v to %v no route led to the canary, which answered %d requests", f.from, f.to, hits)
		}
	}
}
