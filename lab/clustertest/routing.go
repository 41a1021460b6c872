package clustertest

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
)

// This file checks who is sent where.

func judgeRoutes(l *Log, found *Findings) {
	for _, r := range l.Line.Routes {
		if r.Share > 0 && !slices.ContainsFunc(l.Line.Steps, func(s step) bool { return s.Weight == r.Share && l.near(s.At, r.At) }) {
			found.Addf("the route of %v gives the canary %d %%, no status says so (%v)", r.At, r.Share, l.Allow.Follow)
		}
	}
	if n := len(l.Line.Routes); n == 0 || l.Line.Routes[n-1].Share != 0 {
		found.Addf("of %d routes the last one does not send everybody to the primary", n)
	}
	for at, c := range facts[event.Canary](l) {
		if c.Phase != event.PhaseProgressing || c.Weight == 0 {
			continue
		}
		share := -1
		for _, r := range l.Line.Routes {
			if r.At <= at+l.Allow.Follow.Duration {
				share = r.Share
			}
			if share == c.Weight {
				break
			}
		}
		if share != c.Weight {
			found.Addf("the status of %v has weight %d, the route gives %d %% (%v)", at, c.Weight, share, l.Allow.Follow)
		}
	}
}

// near tells whether two facts may be about one change.
func (l *Log) near(a, b time.Duration) bool { return (a - b).Abs() <= l.Allow.Follow.Duration }

func (l *Log) canary(c event.Cell) bool { return c.Workload == l.service() && !policed(c) }
func (l *Log) served(c event.Cell) bool { return c.Workload != "" && !policed(c) }

func judgeWeights(l *Log, found *Findings) {
	var all trials
	for _, f := range l.inForce() {
		if f.At < l.Line.Released.At {
			f.from = max(f.from, l.Line.Released.At)
		}
		n, hits := count(l.cells(f.from, f.to), l.served), count(l.cells(f.from, f.to), l.canary)
		p := float64(f.Share) / 100
		var one trials
		one.add(n, hits, p)
		if one.off(l.Allow.Stray) {
			found.Addf("from %v to %v the route gives the canary %d %%, it got %d of %d requests, more than %.0f off (%v)", f.from, f.to,
				f.Share, hits, n, one.bound(), l.Allow.Stray)
		}
		if f.Share > 0 {
			all.add(n, hits, p)
		}
	}
	if all.n < enough {
		found.Addf("only %d requests were answered while the canary had a weight", all.n)
	}
	if all.off(l.Allow.Stray) {
		found.Addf("over all steps the canary got %d of %d requests, %.0f are expected, more than %.0f off", all.hits, all.n, all.expected, all.bound())
	}
}

// headerCohort is told by a header, the cohorts that begin with cookieCohorts by a cookie.
const (
	headerCohort  = "testers"
	cookieCohorts = "insiders"
)

func judgeHeader(l *Log, found *Findings) { l.matched(found, headerCohort) }

func judgeCookie(l *Log, found *Findings) {
	for _, c := range l.Flight.Scenario.Traffic.Cohorts {
		if strings.HasPrefix(c.Name, cookieCohorts) {
			l.matched(found, c.Name)
		}
	}
}

// enoughOfCohort is the least number of requests of a cohort that says something about it.
const enoughOfCohort = 50

// matched checks that a cohort is sent to the canary as long as the experiment is on.
func (l *Log) matched(found *Findings, cohort string) {
	n, canary := 0, 0
	for _, f := range l.inForce() {
		if !f.Matched || f.MatchShare != 100 {
			continue
		}
		n += count(l.cells(f.from, f.to), func(c event.Cell) bool { return c.Cohort == cohort })
		canary += count(l.cells(f.from, f.to), func(c event.Cell) bool { return c.Cohort == cohort && l.canary(c) })
	}
	if n < enoughOfCohort {
		found.Addf("cohort %s sent only %d requests during the experiment", cohort, n)
	}
	if float64(n-canary) > l.Allow.Stray.Of*float64(n) {
		found.Addf("%d of %d requests of cohort %s did not reach the canary (%v)", n-canary, n, cohort, l.Allow.Stray)
	}
}

func judgeOutsiders(l *Log, found *Findings) {
	n, canary := 0, 0
	for c := range l.cells(l.Line.Released.At, l.end()) {
		if c.Cohort == headerCohort || strings.HasPrefix(c.Cohort, cookieCohorts) {
			continue
		}
		n += c.N
		if l.canary(c) {
			canary += c.N
		}
	}
	if n < enough {
		found.Addf("only %d requests were none of the experiment's", n)
	}
	if canary > 0 {
		found.Addf("%d of %d requests from outside of the experiment reached the canary", canary, n)
	}
	for _, f := range l.inForce() {
		if f.Matched {
			continue
		}
		if hits := count(l.cells(max(f.from, l.Line.Released.At), f.to), l.canary); hits > 0 {
			found.Addf("from %v to %v no route led to the canary, which answered %d requests", f.from, f.to, hits)
		}
	}
}
