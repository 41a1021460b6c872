package score

import (
	"math"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/stats"
	"coalmine/lab/verdict/timeline"
)

// confidence of every interval on a card.
const confidence = 0.95

func (r Rate) withInterval() Rate {
	i := stats.Wilson(r.Count, r.Of, confidence)
	r.Low, r.High = round4(i.Low), round4(i.High)
	return r
}

// round4 keeps four decimals: more is noise, and differs between machines that fuse multiplications.
func round4(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func ptr[T any](x T) *T { return &x }

func (r *run) harm() int { return r.Timeline.Sum(nil).Harm }

// effectiveHarm is the harm that counts against the guardrails. Starving, deleting or never releasing a canary avoids nothing:
// there the harm without guardrail counts.
func (r *run) effectiveHarm(keep func(timeline.Key) bool) int {
	harm := r.Timeline.Sum(keep).Harm
	switch r.Verdict {
	case Starved, Deleted, NotReleased:
		if r.unguarded != nil {
			harm = max(harm, r.unguarded.Timeline.Sum(keep).Harm)
		}
	}
	return harm
}

// harmRatio is the share of the seed's harm that the guardrails let through; nil without a run to compare with. Where the
// fault hurts nobody even without guardrail there is nothing to let through.
func (r *run) harmRatio() *float64 {
	if r.unguarded == nil {
		return nil
	}
	none, harm := r.unguarded.harm(), r.effectiveHarm(nil)
	if none == 0 && harm == 0 {
		return ptr(0.0)
	}
	return ptr(float64(harm) / float64(max(1, none)))
}

func usersHurt(t *timeline.Timeline) int {
	n := 0
	if t.Totals != nil {
		for _, h := range t.Totals.Hurt {
			n += h
		}
	}
	return n
}

// completeFaulty keeps the faulty runs whose counts mean something.
func (t *trial) completeFaulty() []*run { return filter(t.faulty, (*run).complete) }

// harm sums over the seeds. A sum without guardrail, or with the reference, is given only when every seed has one.
func (t *trial) harm() Harm {
	runs := t.completeFaulty()
	h := Harm{Cohorts: t.cohorts(runs)}
	bound := 0
	for _, r := range runs {
		h.Learner += r.harm()
		h.UsersHurt += usersHurt(r.Timeline)
		bound += r.bound()
	}
	if len(runs) == 0 {
		return h
	}
	h.Bound = &bound
	if none := sameSeedRuns(runs, func(r *run) *run { return r.unguarded }); none != nil {
		h.Unguarded, h.UsersHurtUnguarded = ptr(0), ptr(0)
		for _, r := range none {
			*h.Unguarded += r.harm()
			*h.UsersHurtUnguarded += usersHurt(r.Timeline)
		}
	}
	if best := sameSeedRuns(runs, func(r *run) *run { return r.reference }); best != nil {
		h.Reference = ptr(0)
		for _, r := range best {
			*h.Reference += r.harm()
		}
	}
	h.Avoided, h.Low, h.High = avoided(runs)
	return h
}

// sameSeedRuns are the runs of the same seeds, nil unless all are there.
func sameSeedRuns(runs []*run, of func(*run) *run) []*run {
	var all []*run
	for _, r := range runs {
		if of(r) == nil {
			return nil
		}
		all = append(all, of(r))
	}
	return all
}

// avoided is the mean share of harm avoided per seed, with its interval from two seeds on.
func avoided(runs []*run) (mean, low, high *float64) {
	var shares []float64
	for _, r := range runs {
		if left := r.harmRatio(); left != nil && r.unguarded.harm() > 0 {
			shares = append(shares, 1-*left)
		}
	}
	if len(shares) == 0 {
		return nil, nil, nil
	}
	m, i, ok := stats.MeanInterval(shares, confidence)
	if !ok {
		return ptr(round4(m)), nil, nil
	}
	return ptr(round4(m)), ptr(round4(i.Low)), ptr(round4(min(1, i.High)))
}

// skill is (H_none − H_learner)/(H_none − H_best) over the seeds, clipped to 0 to 1; nil without references, or where the
// reference is no better than no guardrail.
func (t *trial) skill() *float64 {
	runs := t.completeFaulty()
	none := sameSeedRuns(runs, func(r *run) *run { return r.unguarded })
	best := sameSeedRuns(runs, func(r *run) *run { return r.reference })
	if none == nil || best == nil {
		return nil
	}
	hNone, hBest, hLearner := 0, 0, 0
	for i, r := range runs {
		hNone += none[i].harm()
		hBest += best[i].harm()
		hLearner += r.effectiveHarm(nil)
	}
	if hNone <= hBest {
		return nil
	}
	s := float64(hNone-hLearner) / float64(hNone-hBest)
	return ptr(round4(min(1, max(0, s))))
}

// cohorts gives each cohort's part, the worst first.
func (t *trial) cohorts(runs []*run) []CohortHarm {
	var names []string
	for _, r := range runs {
		names = append(names, r.Timeline.Cohorts()...)
	}
	slices.Sort(names)
	var all []CohortHarm
	for _, name := range slices.Compact(names) {
		all = append(all, cohort(name, runs))
	}
	slices.SortStableFunc(all, func(a, b CohortHarm) int { return b.Harm - a.Harm })
	return all
}

func cohort(name string, runs []*run) CohortHarm {
	c := CohortHarm{Cohort: name}
	keep := timeline.InCohort(name)
	none, credited, compared := 0, 0, true
	for _, r := range runs {
		s := r.Timeline.Sum(keep)
		c.Requests += s.N
		c.Harm += s.Harm
		credited += r.effectiveHarm(keep)
		if totals := r.Timeline.Totals; totals != nil {
			c.Users += totals.Users[name]
			c.Hurt += totals.Hurt[name]
		}
		if compared = compared && r.unguarded != nil; compared {
			none += r.unguarded.Timeline.Sum(keep).Harm
		}
	}
	if compared {
		c.Unguarded = &none
		if none > 0 {
			c.HarmRatio = ptr(round4(float64(credited) / float64(none)))
		}
	}
	return c
}

// bound is the harm that an ideal alarm would still have let through in this run (see [oracle.Bound]).
func (r *run) bound() int {
	t := r.Timeline
	var segments []stats.Segment
	var series [][]timeline.Point
	for _, k := range harmedSegments(t) {
		fresh := timeline.AllOf(k, func(k timeline.Key) bool { return k.Version == t.Run.Version })
		old := timeline.AllOf(k, func(k timeline.Key) bool { return k.Version == t.Run.Baseline })
		f, o := t.Sum(fresh), t.Sum(old)
		segments = append(segments, stats.Segment{P0: stats.EstimateRate(o.Bad, o.N), P1: stats.EstimateRate(f.Bad, f.N)})
		series = append(series, t.Series(fresh))
	}
	slots := make([]stats.Second, 0, len(series))
	for i, p := range t.Series(nil) {
		slot := stats.Second{From: p.From, To: p.To, Harm: p.Harm}
		for _, s := range series {
			slot.Bad = append(slot.Bad, s[i].Bad)
			slot.Good = append(slot.Good, s[i].N-s[i].Bad)
		}
		slots = append(slots, slot)
	}
	return stats.Bound(slots, segments, stats.DefaultErrorRates(), stats.DefaultLag()).Harm
}

// harmedSegments lists the cohorts on routes where the new version hurt users.
func harmedSegments(t *timeline.Timeline) []func(timeline.Key) bool {
	type segment struct{ cohort, route string }
	seen := map[segment]bool{}
	var keeps []func(timeline.Key) bool
	for _, k := range t.Keys() {
		s := segment{k.Cohort, k.Route}
		if seen[s] || k.Version != t.Run.Version || t.Sum(func(l timeline.Key) bool { return l == k }).Harm == 0 {
			continue
		}
		seen[s] = true
		keeps = append(keeps, func(l timeline.Key) bool { return l.Cohort == s.cohort && l.Route == s.route })
	}
	return keeps
}

// row tells one run of the learner's.
func (r *run) row() Row {
	t := r.Timeline
	row := Row{
		Run: r.Name, Role: string(r.Role), Seed: r.seed(), Verdict: r.Verdict, Reason: r.Reason,
		Released: seconds(t.Released), FirstBad: seconds(t.FirstBad), Abort: seconds(t.Abort),
		LastBad: seconds(t.LastBad), Promoted: seconds(t.Promoted), End: event.Seconds(t.Last.At),
		Harm: r.harm(), UsersHurt: usersHurt(t), CanaryRequests: t.CanaryRequests, Share: round4(t.ActualShare()),
		Events: r.eventRefs(r.Moments...),
	}
	if t.FirstBad.Happened() || t.Abort.Happened() || t.Refusal.Happened() {
		row.Detection = seconds(t.Detected)
	}
	r.addTimes(&row)
	if r.Role == RoleFaulty && r.complete() {
		r.addComparison(&row)
	}
	for _, s := range t.Steps {
		row.Track = append(row.Track, Exposure{At: event.Seconds(s.At), Weight: s.Weight, Matched: s.Matched})
	}
	return row
}

func (r *run) addTimes(row *Row) {
	t := r.Timeline
	if t.FirstBad.Happened() && t.Detected.Happened() {
		row.MTTD = ptr(event.Seconds(t.Detected.Since(t.FirstBad)))
	}
	if t.Abort.Happened() {
		row.Weight = ptr(t.WeightAtAbort)
		if t.FirstBad.Happened() {
			row.MTTR = ptr(event.Seconds(t.LastBad.Since(t.FirstBad)))
		}
	}
}

func (r *run) addComparison(row *Row) {
	row.Bound = ptr(r.bound())
	if r.unguarded != nil {
		row.Unguarded = ptr(r.unguarded.harm())
	}
	if r.reference != nil {
		row.Reference = ptr(r.reference.harm())
	}
}

func seconds(m timeline.Moment) *event.Seconds {
	if !m.Happened() {
		return nil
	}
	return ptr(event.Seconds(m.At.Round(time.Microsecond)))
}
