package score

import (
	"math"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/stats"
	"coalmine/lab/verdict/timeline"
)

// confidence is that of every interval on a card.
const confidence = 0.95

func (r Rate) withInterval() Rate {
	i := stats.Wilson(r.Count, r.Of, confidence)
	r.Low, r.High = round4(i.Low), round4(i.High)
	return r
}

// round4 keeps four decimals: more is noise, and differs between machines that fuse
// multiplications.
func round4(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// harm is all harm to users, by the release and by the guardrails.
func (r *run) harm() int { return r.harmOf(nil) }

func (r *run) harmOf(keep func(timeline.Key) bool) int {
	return r.Timeline.Sum(keep).Harm + r.ownHarm(keep)
}

// ownHarm is the harm that the guardrails caused.
func (r *run) ownHarm(keep func(timeline.Key) bool) int { return ownHarm(r.Timeline, r.baseline, keep) }

// effectiveHarm is the harm that counts against the guardrails. A canary that was starved, deleted
// or never released avoids nothing, nor do guardrails that do not deliver the healthy release of
// the same seed: such a run counts at least the unguarded harm.
func (r *run) effectiveHarm(keep func(timeline.Key) bool) int {
	harm := r.harmOf(keep)
	if r.unguarded != nil && (r.uncounted != "" || r.Verdict == Starved || r.Verdict == Deleted ||
		r.Verdict == NotReleased) {
		harm = max(harm, r.unguarded.harmOf(keep))
	}
	return harm
}

// harmRatio is the share of the seed's harm that the guardrails let through; nil without a run to
// compare with. It is 0 if the fault hurts no user even without guardrails.
func (r *run) harmRatio() *float64 {
	if r.unguarded == nil {
		return nil
	}
	unguarded, harm := r.unguarded.harm(), r.effectiveHarm(nil)
	if unguarded == 0 && harm == 0 {
		return new(0.0)
	}
	return new(float64(harm) / float64(max(1, unguarded)))
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

// completeFaulty are the faulty runs whose counts mean something.
func (t *trial) completeFaulty() []*run { return filter(t.faulty, (*run).complete) }

// harm adds up the seeds. The unguarded and reference sums are set only if every seed has such a
// run.
func (t *trial) harm() Harm {
	runs := t.completeFaulty()
	h := Harm{Cohorts: t.cohorts(runs)}
	bound := 0
	for _, r := range runs {
		h.ByRelease += r.Timeline.Sum(nil).Harm
		h.ByGuardrails += r.ownHarm(nil)
		h.UsersHurt += usersHurt(r.Timeline)
		bound += r.bound()
	}
	h.Learner = h.ByRelease + h.ByGuardrails
	for _, r := range t.healthy {
		h.Healthy += r.ownHarm(nil)
	}
	if len(runs) == 0 {
		return h
	}
	h.Bound = &bound
	if unguarded := sameSeedRuns(runs, func(r *run) *run { return r.unguarded }); unguarded != nil {
		h.Unguarded, h.UsersHurtUnguarded = new(0), new(0)
		for _, r := range unguarded {
			*h.Unguarded += r.harm()
			*h.UsersHurtUnguarded += usersHurt(r.Timeline)
		}
	}
	if reference := sameSeedRuns(runs, func(r *run) *run { return r.reference }); reference != nil {
		h.Reference = new(0)
		for _, r := range reference {
			*h.Reference += r.harm()
		}
	}
	h.Avoided, h.Low, h.High = avoided(runs)
	return h
}

// sameSeedRuns are the runs to compare with, or nil if one of them is missing.
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

// avoided is the mean over the seeds of the share of harm avoided, with its interval from two seeds
// on.
func avoided(runs []*run) (mean, low, high *float64) {
	var shares []float64
	for _, r := range runs {
		if ratio := r.harmRatio(); ratio != nil && r.unguarded.harm() > 0 {
			shares = append(shares, 1-*ratio)
		}
	}
	if len(shares) == 0 {
		return nil, nil, nil
	}
	m, i, ok := stats.MeanInterval(shares, confidence)
	if !ok {
		return new(round4(m)), nil, nil
	}
	return new(round4(m)), new(round4(i.Low)), new(round4(min(1, i.High)))
}

// skill is (unguarded − learner)/(unguarded − reference) of the harm over the seeds, clipped to 0
// to 1; nil without runs to compare with, or if the reference is no better than no guardrails.
func (t *trial) skill() *float64 {
	runs := t.completeFaulty()
	unguarded := sameSeedRuns(runs, func(r *run) *run { return r.unguarded })
	reference := sameSeedRuns(runs, func(r *run) *run { return r.reference })
	if unguarded == nil || reference == nil {
		return nil
	}
	harmUnguarded, harmReference, harmLearner := 0, 0, 0
	for i, r := range runs {
		harmUnguarded += unguarded[i].harm()
		harmReference += reference[i].harm()
		harmLearner += r.effectiveHarm(nil)
	}
	if harmUnguarded <= harmReference {
		return nil
	}
	s := float64(harmUnguarded-harmLearner) / float64(harmUnguarded-harmReference)
	return new(round4(min(1, max(0, s))))
}

// cohorts is the harm by cohort, the worst first.
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
	unguarded, effective, compared := 0, 0, true
	for _, r := range runs {
		s := r.Timeline.Sum(keep)
		c.Requests += s.N
		c.Harm += r.harmOf(keep)
		c.ByGuardrails += r.ownHarm(keep)
		effective += r.effectiveHarm(keep)
		if totals := r.Timeline.Totals; totals != nil {
			c.Users += totals.Users[name]
			c.Hurt += totals.Hurt[name]
		}
		if compared = compared && r.unguarded != nil; compared {
			unguarded += r.unguarded.harmOf(keep)
		}
	}
	if compared {
		c.Unguarded = &unguarded
		if unguarded > 0 {
			c.HarmRatio = new(round4(float64(effective) / float64(unguarded)))
		}
	}
	return c
}

// bound is the harm that an ideal alarm would have let through in this run (see [stats.Bound]).
func (r *run) bound() int {
	t := r.Timeline
	var segments []stats.Segment
	var series [][]timeline.Point
	for _, k := range harmedSegments(t) {
		released := timeline.AllOf(k, func(k timeline.Key) bool { return k.Version == t.Run.Version })
		baseline := timeline.AllOf(k, func(k timeline.Key) bool { return k.Version == t.Run.Baseline })
		f, o := t.Sum(released), t.Sum(baseline)
		segments = append(segments, stats.Segment{P0: stats.EstimateRate(o.Bad, o.N),
			P1: stats.EstimateRate(f.Bad, f.N)})
		series = append(series, t.Series(released))
	}
	all := make([]stats.Second, 0, len(series))
	for i, p := range t.Series(nil) {
		second := stats.Second{From: p.From, To: p.To, Harm: p.Harm}
		for _, s := range series {
			second.Bad = append(second.Bad, s[i].Bad)
			second.Good = append(second.Good, s[i].N-s[i].Bad)
		}
		all = append(all, second)
	}
	return stats.Bound(all, segments, stats.DefaultErrorRates(), stats.DefaultLag()).Harm
}

// harmedSegments are the pairs of cohort and route in which the new version hurt users.
func harmedSegments(t *timeline.Timeline) []func(timeline.Key) bool {
	type segment struct{ cohort, route string }
	seen := map[segment]bool{}
	var keeps []func(timeline.Key) bool
	for _, k := range t.Keys() {
		s := segment{k.Cohort, k.Route}
		if seen[s] || k.Version != t.Run.Version || t.Count(k).Harm == 0 {
			continue
		}
		seen[s] = true
		keeps = append(keeps, func(l timeline.Key) bool { return l.Cohort == s.cohort && l.Route == s.route })
	}
	return keeps
}

// row is the card's row of one of the learner's runs.
func (r *run) row() Row {
	t := r.Timeline
	row := Row{
		Run: r.Name, Role: string(r.Role), Seed: r.seed(), Verdict: r.Verdict, Reason: r.Reason,
		Released: seconds(t.Released), FirstBad: seconds(t.FirstBad), Abort: seconds(t.Abort),
		LastBad: seconds(t.LastBad), Promoted: seconds(t.Promoted), End: event.Seconds(t.Last.At),
		Harm: r.harm(), ByGuardrails: r.ownHarm(nil), UsersHurt: usersHurt(t), CanaryRequests: t.CanaryRequests,
		Share:  round4(t.ActualShare()),
		Events: r.eventRefs(r.Moments...), Mesh: meshRows(t),
	}
	if t.FirstBad.Happened() || t.Abort.Happened() || t.Refusal.Happened() {
		row.Detection = seconds(t.Detected)
	}
	r.addTimes(&row)
	if r.Role == RoleFaulty && r.complete() {
		r.addComparison(&row)
	}
	for i, s := range t.Steps {
		row.Track = append(row.Track, Exposure{At: event.Seconds(s.At), Weight: t.Exposure(i), Matched: s.Matched,
			Silence: event.Seconds(s.Silence())})
	}
	return row
}

func (r *run) addTimes(row *Row) {
	t := r.Timeline
	if t.FirstBad.Happened() && t.Detected.Happened() {
		row.MTTD = new(event.Seconds(t.Detected.Since(t.FirstBad)))
	}
	if t.Abort.Happened() {
		row.Weight = new(t.WeightAtAbort)
		if t.FirstBad.Happened() {
			row.MTTR = new(event.Seconds(t.LastBad.Since(t.FirstBad)))
		}
	}
}

func (r *run) addComparison(row *Row) {
	row.Bound = new(r.bound())
	if r.unguarded != nil {
		row.Unguarded = new(r.unguarded.harm())
	}
	if r.reference != nil {
		row.Reference = new(r.reference.harm())
	}
}

func seconds(m timeline.Moment) *event.Seconds {
	if !m.Happened() {
		return nil
	}
	return new(event.Seconds(m.At.Round(time.Microsecond)))
}
