package score

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/verdict/stats"
	"coalmine/lab/verdict/timeline"
)

// maxFalseAlarm is the chance that a run without harm by its guardrails is said to have some.
const maxFalseAlarm = 1e-6

// segment is one cohort on one route.
type segment struct{ cohort, route string }

func (s segment) compare(o segment) int {
	return cmp.Or(cmp.Compare(s.cohort, o.cohort), cmp.Compare(s.route, o.route))
}

// baseline counts requests, and bad ones among them, before the release, without guardrails.
type baseline map[segment]timeline.Counts

// newBaseline pools the unguarded runs over the seeds.
func newBaseline(runs []*run) baseline {
	b := baseline{}
	for _, r := range runs {
		if r.Role != RoleUnguarded {
			continue
		}
		for _, k := range r.Timeline.Keys() {
			at := segment{k.Cohort, k.Route}
			b[at] = b[at].Plus(r.Timeline.CountBefore(k))
		}
	}
	return b
}

// ownHarm is the harm that guardrails caused in a run: for each cohort and route, the larger of
// what a proxy answered in place of the service, and the significant excess of bad answers that the
// fault did not hit over the baseline. Without a baseline it is the former alone.
func ownHarm(t *timeline.Timeline, b baseline, keep func(timeline.Key) bool) int {
	return harmBeside(t, b, keep, func(timeline.Key) int { return 0 })
}

// selfInflicted is that harm without what any rollout in steps may have: see [timeline.Timeline.Late].
func selfInflicted(t *timeline.Timeline, b baseline) int { return harmBeside(t, b, nil, t.Late) }

// harmBeside is the harm that guardrails caused in a run, beside what is excused.
func harmBeside(t *timeline.Timeline, b baseline, keep func(timeline.Key) bool, excused func(timeline.Key) int) int {
	if !t.Run.Guarded {
		return 0
	}
	counts := map[segment]timeline.Counts{}
	for _, k := range t.Keys() {
		at, n := segment{k.Cohort, k.Route}, excused(k)
		c := t.Count(k)
		c.ByMesh, c.Bad = c.ByMesh-n, c.Bad-n
		counts[at] = counts[at].Plus(c)
	}
	harm := 0
	for _, at := range slices.SortedFunc(maps.Keys(counts), segment.compare) {
		if keep == nil || keep(timeline.Key{Cohort: at.cohort, Route: at.route}) {
			harm += max(counts[at].ByMesh, excess(counts[at], b[at], len(counts)))
		}
	}
	return harm
}

// excess is how many more requests were bad, for another reason than the fault, than the baseline
// lets expect; 0 if chance may explain it. Of tests on the same run each gets its share of
// [maxFalseAlarm].
func excess(c, base timeline.Counts, tests int) int {
	x := c.Bad - c.Harm
	if x <= 0 || base.N == 0 || stats.MoreThanBefore(x, c.N, base.Bad, base.N) > maxFalseAlarm/float64(tests) {
		return 0
	}
	return max(0, x-int(math.Round(float64(base.Bad)/float64(base.N)*float64(c.N))))
}

// withHarm turns a delivery during which the guardrails hurt users into none.
func (j Judgement) withHarm(n int) Judgement {
	if n > 0 && j.Verdict == Promoted {
		j.Verdict = HurtUsers
		j.Reason = "the healthy version was delivered, but your guardrails made " + format.Plural(n, "request") + " bad"
	}
	return j
}
