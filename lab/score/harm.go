package score

import (
	"math"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/score/oracle"
	"coalmine/lab/timeline"
)

// confidence of every interval on a card.
const confidence = 0.95

func (r Rate) withInterval() Rate {
	i := oracle.Wilson(r.Count, r.Of, confidence)
	r.Low, r.High = rounded(i.Low), rounded(i.High)
	return r
}

// rounded keeps four decimals: more is noise, and differs between machines that fuse multiplications.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func ref[T any](x T) *T { return &x }

func (r *run) harm() int { return r.Timeline.Sum(nil).Harm }

// credited is the harm that counts against the guardrails. Starving, deleting or never releasing a canary avoids nothing:
// there the harm without guardrail counts.
func (r *run) credited(keep func(timeline.Key) bool) int {
	harm := r.Timeline.Sum(keep).Harm
	switch r.Verdict {
	case Starved, Deleted, NotReleased:
		if r.none != nil {
			harm = max(harm, r.none.Timeline.Sum(keep).Harm)
		}
	}
	return harm
}

// left is the share of the seed's harm that the guardrails let through; nil without a run to compare with. Where the
// fault hurts nobody even without guardrail there is nothing to let through.
func (r *run) left() *float64 {
	if r.none == nil {
		return nil
	}
	none, harm := r.none.harm(), r.credited(nil)
	if none == 0 && harm == 0 {
		return ref(0.0)
	}
	return ref(float64(harm) / float64(max(1, none)))
}

func hurt(t *timeline.Timeline) int {
	n := 0
	if t.Totals != nil {
		for _, h := range t.Totals.Hurt {
			n += h
		}
	}
	return n
}

// told keeps the faulty runs whose counts mean something.
func (t *trial) told() []*run { return only(t.faulty, (*run).told) }

// harm sums over the seeds. A sum without guardrail, or with the reference, is given only when every seed has one.
func (t *trial) harm() Harm {
	runs := t.told()
	h := Harm{Cohorts: t.cohorts(runs)}
	bound := 0
	for _, r := range runs {
		h.Learner += r.harm()
		h.UsersHurt += hurt(r.Timeline)
		bound += r.bound()
	}
	if len(runs) == 0 {
		return h
	}
	h.Bound = &bound
	if none := others(runs, func(r *run) *run { return r.none }); none != nil {
		h.None, h.UsersHurtNone = ref(0), ref(0)
		for _, r := range none {
			*h.None += r.harm()
			*h.UsersHurtNone += hurt(r.Timeline)
		}
	}
	if best := others(runs, func(r *run) *run { return r.best }); best != nil {
		h.Best = ref(0)
		for _, r := range best {
			*h.Best += r.harm()
		}
	}
	h.Avoided, h.Low, h.High = avoided(runs)
	return h
}

// others are the runs of the same seeds, nil unless all are there.
func others(runs []*run, of func(*run) *run) []*run {
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
		if left := r.left(); left != nil && r.none.harm() > 0 {
			shares = append(shares, 1-*left)
		}
	}
	if len(shares) == 0 {
		return nil, nil, nil
	}
	m, i, ok := oracle.MeanInterval(shares, confidence)
	if !ok {
		return ref(rounded(m)), nil, nil
	}
	return ref(rounded(m)), ref(rounded(i.Low)), ref(rounded(min(1, i.High)))
}

// skill is (H_none − H_learner)/(H_none − H_best) over the seeds, clipped to 0 to 1; nil without references, or where the
// reference is no better than no guardrail.
func (t *trial) skill() *float64 {
	runs := t.told()
	none := others(runs, func(r *run) *run { return r.none })
	best := others(runs, func(r *run) *run { return r.best })
	if none == nil || best == nil {
		return nil
	}
	hNone, hBest, hLearner := 0, 0, 0
	for i, r := range runs {
		hNone += none[i].harm()
		hBest += best[i].harm()
		hLearner += r.credited(nil)
	}
	if hNone <= hBest {
		return nil
	}
	s := float64(hNone-hLearner) / float64(hNone-hBest)
	return ref(rounded(min(1, max(0, s))))
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
	keep := timeline.Of(name)
	none, credited, compared := 0, 0, true
	for _, r := range runs {
		s := r.Timeline.Sum(keep)
		c.Requests += s.N
		c.Harm += s.Harm
		credited += r.credited(keep)
		if totals := r.Timeline.Totals; totals != nil {
			c.Users += totals.Users[name]
			c.Hurt += totals.Hurt[name]
		}
		if compared = compared && r.none != nil; compared {
			none += r.none.Timeline.Sum(keep).Harm
		}
	}
	if compared {
		c.None = &none
		if none > 0 {
			c.Left = ref(rounded(float64(credited) / float64(none)))
		}
	}
	return c
}

// bound is the harm that an ideal alarm would still have let through in this run (see [oracle.Bound]).
func (r *run) bound() int {
	t := r.Timeline
	var segments []oracle.Segment
	var series [][]timeline.Point
	for _, k := range touched(t) {
		fresh := timeline.And(k, func(k timeline.Key) bool { return k.Version == t.Run.Version })
		old := timeline.And(k, func(k timeline.Key) bool { return k.Version == t.Run.Baseline })
		f, o := t.Sum(fresh), t.Sum(old)
		segments = append(segments, oracle.Segment{P0: oracle.Rate(o.Bad, o.N), P1: oracle.Rate(f.Bad, f.N)})
		series = append(series, t.Series(fresh))
	}
	slots := make([]oracle.Slot, 0, len(series))
	for i, p := range t.Series(nil) {
		slot := oracle.Slot{From: p.From, To: p.To, Harm: p.Harm}
		for _, s := range series {
			slot.Bad = append(slot.Bad, s[i].Bad)
			slot.Good = append(slot.Good, s[i].N-s[i].Bad)
		}
		slots = append(slots, slot)
	}
	return oracle.Bound(slots, segments, oracle.Default(), oracle.DefaultLag()).Harm
}

// touched lists the cohorts on routes where the new version hurt users.
func touched(t *timeline.Timeline) []func(timeline.Key) bool {
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
		Run: r.Name, Role: string(r.Part), Seed: r.seed(), Verdict: r.Verdict, Reason: r.Reason,
		Released: seconds(t.Released), FirstBad: seconds(t.FirstBad), Abort: seconds(t.Abort),
		LastBad: seconds(t.LastBad), Promoted: seconds(t.Promoted), End: event.Seconds(t.Last.At),
		Harm: r.harm(), UsersHurt: hurt(t), CanaryRequests: t.CanaryRequests, Share: rounded(t.ActualShare()),
		Events: r.refs(r.Marks...),
	}
	if t.FirstBad.Seen() || t.Abort.Seen() || t.Refusal.Seen() {
		row.Detection = seconds(t.Detected)
	}
	r.addTimes(&row)
	if r.Part == PartFaulty && r.told() {
		r.addComparison(&row)
	}
	for _, s := range t.Steps {
		row.Track = append(row.Track, Exposure{At: event.Seconds(s.At), Weight: s.Weight, Matched: s.Matched})
	}
	return row
}

func (r *run) addTimes(row *Row) {
	t := r.Timeline
	if t.FirstBad.Seen() && t.Detected.Seen() {
		row.MTTD = ref(event.Seconds(t.Detected.Since(t.FirstBad)))
	}
	if t.Abort.Seen() {
		row.Weight = ref(t.WeightAtAbort)
		if t.FirstBad.Seen() {
			row.MTTR = ref(event.Seconds(t.LastBad.Since(t.FirstBad)))
		}
	}
}

func (r *run) addComparison(row *Row) {
	row.Bound = ref(r.bound())
	if r.none != nil {
		row.None = ref(r.none.harm())
	}
	if r.best != nil {
		row.Best = ref(r.best.harm())
	}
}

func seconds(m timeline.Mark) *event.Seconds {
	if !m.Seen() {
		return nil
	}
	return ref(event.Seconds(m.At.Round(time.Microsecond)))
}
