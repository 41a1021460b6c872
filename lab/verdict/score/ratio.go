package score

import (
	"fmt"
	"math"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/stats"
	"coalmine/lab/verdict/timeline"
)

// mismatchPValue is the p-value below which a sample ratio counts as mismatched (Fabijan et al.
// 2019 use 0.0005 to 0.01).
const mismatchPValue = 0.001

// maxLeak is the share of an experiment's requests that may miss the canary although all of them
// should reach it: those in flight while a rule changed.
const maxLeak = 0.005

// ratio compares an observed split with the configured one.
type ratio struct {
	cohort          string
	canary, primary int
	expected        float64 // share of the canary, 0 to 1
	unit            string
	sticky          bool // session affinity keeps users on the canary
}

// gradeRatio checks whether the canary got the share that it should get: all requests of the cohorts
// that the rubric names and no others, if it names some. Else, how to compare depends on how the
// guardrails route:
//   - by match to the canary alone: no request of an exposed cohort may reach the primary, so
//     requests are compared;
//   - with a split that the rubric or a match sets: distinct users are compared (χ² over
//     assignment units), or requests if users saw both versions, since each request was then
//     drawn by itself;
//   - by weight: each request is drawn by itself, so requests are compared with the weights in
//     force. With session affinity users stay, and the canary's share outgrows its weight.
func (t *trial) gradeRatio(i scenario.RubricItem) grade {
	return gradeRuns(t.learner(), func(r *run) finding {
		x := observed(r.Timeline, i.Limit)
		if len(i.Cohorts) > 0 {
			x = assigned(r.Timeline, i.Cohorts)
		}
		f := x.judge()
		f.moments = []timeline.Moment{r.Timeline.FirstCanary, r.Timeline.TotalsAt}
		return f
	})
}

func observed(t *timeline.Timeline, configured float64) ratio {
	share, matched := matchShare(t)
	if configured > 0 {
		share = configured
	}
	switch {
	case matched && share >= 1:
		return matchedRequests(t)
	case matched || configured > 0:
		return assignedUsers(t, share)
	}
	return weighted(t)
}

// matchShare is the canary's share, 0 to 1, in the last rule with conditions. The rule of session
// affinity does not say who should be on the canary: it keeps those whom the weights sent there.
func matchShare(t *timeline.Timeline) (share float64, matched bool) {
	for _, c := range t.Routes {
		if c.Matched && !c.Sticky && c.Seq >= t.Released.Seq {
			share, matched = float64(c.MatchShare)/100, true
		}
	}
	return share, matched
}

// matchedRequests picks, of the cohorts that are exposed at all, the one with the smallest share on
// the canary: if several conditions let several cohorts in, each of them must be in as a whole.
func matchedRequests(t *timeline.Timeline) ratio {
	x := ratio{expected: 1, unit: "requests"}
	least := math.Inf(1)
	for _, name := range t.Cohorts() {
		canary := t.SumSteady(timeline.AllOf(timeline.InCohort(name), t.OnCanary())).N
		all := t.SumSteady(timeline.AllOf(timeline.InCohort(name), func(k timeline.Key) bool {
			return k.Workload != ""
		})).N
		if exposed := float64(canary) > maxLeak*float64(all); exposed && float64(canary)/float64(all) < least {
			least = float64(canary) / float64(all)
			x.cohort, x.canary, x.primary = name, canary, all-canary
		}
	}
	return x
}

// assigned picks the cohort whose share of requests on the canary is farthest from what it should
// be: all for the cohorts that were named, and none for others.
func assigned(t *timeline.Timeline, named []string) ratio {
	var worst ratio
	most := -1.0
	for _, name := range t.Cohorts() {
		x := ratio{cohort: name, unit: "requests"}
		if slices.Contains(named, name) {
			x.expected = 1
		}
		x.canary, x.primary = requests(t, name)
		if off := math.Abs(x.share() - x.expected); off > most {
			worst, most = x, off
		}
	}
	return worst
}

// share is the canary's share; 0 without requests.
func (x ratio) share() float64 { return float64(x.canary) / float64(max(x.canary+x.primary, 1)) }

// assignedUsers takes the cohort with the largest share of users on the canary as the exposed one.
func assignedUsers(t *timeline.Timeline, share float64) ratio {
	x := ratio{expected: share, unit: "users"}
	if t.Totals == nil {
		return x
	}
	most := -1.0
	for _, name := range t.Cohorts() {
		canary, all := 0, 0
		for workload, users := range t.Totals.Assigned[name] {
			all += users
			if workload == t.Run.Service {
				canary += users
			}
		}
		if all > 0 && float64(canary)/float64(all) > most {
			most = float64(canary) / float64(all)
			x.cohort, x.canary, x.primary = name, canary, all-canary
		}
	}
	if seen := t.Totals.Users[x.cohort]; seen > 0 && float64(x.canary+x.primary) > maxAssignments*float64(seen) {
		x.unit = "requests"
		x.canary, x.primary = requests(t, x.cohort)
	}
	return x
}

// maxAssignments is the number of assignments per user from which users count as having seen both
// versions.
const maxAssignments = 1.02

// requests counts what the canary and others answered to a cohort in steady seconds.
func requests(t *timeline.Timeline, cohort string) (canary, others int) {
	canary = t.SumSteady(timeline.AllOf(timeline.InCohort(cohort), t.OnCanary())).N
	all := t.SumSteady(timeline.AllOf(timeline.InCohort(cohort), func(k timeline.Key) bool {
		return k.Workload != ""
	})).N
	return canary, all - canary
}

// weighted compares the requests of steady seconds with the weights in force.
func weighted(t *timeline.Timeline) ratio {
	x := ratio{cohort: "all users", unit: "requests", sticky: sticky(t)}
	want, served := 0.0, 0
	for _, s := range t.Steps {
		want += float64(s.Weight) / 100 * float64(s.SteadyServed)
		served += s.SteadyServed
		x.canary += s.SteadyCanary
	}
	x.primary = served - x.canary
	if served > 0 {
		x.expected = want / float64(served)
	}
	return x
}

// sticky reports whether session affinity was in force after the release.
func sticky(t *timeline.Timeline) bool {
	return slices.ContainsFunc(t.Routes, func(c timeline.RouteChange) bool {
		return c.Sticky && c.Seq >= t.Released.Seq
	})
}

func (x ratio) judge() finding {
	total := x.canary + x.primary
	if total == 0 || x.canary == 0 && x.expected > 0 {
		return finding{weight: 1, note: "the canary got no traffic, so there is no ratio to compare"}
	}
	share := x.share()
	f := finding{weight: math.Abs(share - x.expected)}
	f.note = fmt.Sprintf("%s of the %s of %s on the canary, %s expected", format.Percent(share), x.unit, x.cohort,
		format.Percent(x.expected))
	if x.expected <= 0 || x.expected >= 1 {
		f.ok = math.Abs(share-x.expected) <= maxLeak
		return f
	}
	p := stats.RatioMismatch(x.canary, x.primary, x.expected)
	f.ok = p >= mismatchPValue
	f.note += fmt.Sprintf(" (p = %.2g)", p)
	if x.sticky && !f.ok {
		f.note += ": session affinity keeps users on the canary"
	}
	return f
}
