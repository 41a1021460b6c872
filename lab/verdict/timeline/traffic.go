package timeline

import (
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
)

// Key says whose requests are counted, and what served them.
type Key struct {
	Cohort, Route, Workload, Version string
}

// Counts are requests of some kind; all other counts are parts of N (see [event.Cell]).
type Counts struct {
	N, Errors, Denied, Limited, Slow, Wrong, Bad, Hit, Harm, ByMesh int
}

// Plus returns the sum of c and d.
func (c Counts) Plus(d Counts) Counts {
	return Counts{
		N: c.N + d.N, Errors: c.Errors + d.Errors, Denied: c.Denied + d.Denied, Limited: c.Limited + d.Limited,
		Slow: c.Slow + d.Slow, Wrong: c.Wrong + d.Wrong, Bad: c.Bad + d.Bad, Hit: c.Hit + d.Hit, Harm: c.Harm + d.Harm,
		ByMesh: c.ByMesh + d.ByMesh,
	}
}

// CountsOf returns a cell's counts.
func CountsOf(c event.Cell) Counts {
	return Counts{N: c.N, Errors: c.Errors, Denied: c.Denied, Limited: c.Limited, Slow: c.Slow,
		Wrong: c.Wrong, Bad: c.Bad,
		Hit: c.Hit, Harm: c.Harm, ByMesh: c.ByMesh}
}

// KeyOf returns a cell's key.
func KeyOf(c event.Cell) Key { return Key{c.Cohort, c.Route, c.Workload, c.Version} }

type second struct {
	Moment
	event.Traffic
}

func (t *Timeline) foldTraffic(f event.Traffic, at Moment) {
	if t.counts == nil {
		t.counts, t.steady, t.before = map[Key]Counts{}, map[Key]Counts{}, map[Key]Counts{}
	}
	t.seconds = append(t.seconds, second{at, f})
	from := time.Duration(f.From)
	step := t.stepAt(from)
	harm := 0
	for _, c := range f.Cells {
		harm += c.Harm
		t.counts[KeyOf(c)] = t.counts[KeyOf(c)].Plus(CountsOf(c))
		if !t.Released.Happened() {
			t.before[KeyOf(c)] = t.before[KeyOf(c)].Plus(CountsOf(c))
		}
		if t.underAnalysis(from) {
			t.foldCell(c, step, from, Moment{At: time.Duration(f.To), Seq: at.Seq})
		}
	}
	t.foldLate(f)
	if step != nil && step.Canary == 0 && t.underAnalysis(from) {
		step.Silent, step.SilentServed = time.Duration(f.To)-step.At, step.Served
	}
	if harm > 0 {
		t.foldHarm(Moment{At: time.Duration(f.To), Seq: at.Seq})
	}
}

// underAnalysis reports whether a second that began at a time is between the release and the
// decision.
func (t *Timeline) underAnalysis(from time.Duration) bool {
	if !t.Released.Happened() {
		return false
	}
	for _, end := range []Moment{t.Abort, t.Promoting, t.Removed} {
		if end.Happened() && from >= end.At {
			return false
		}
	}
	return true
}

// foldCell counts a cell of the analysis. The canary is the release's own Deployment once it runs
// the new version; the primary carries the old one until promotion. Requests that clients retried
// count too: the workload has answered them.
func (t *Timeline) foldCell(c event.Cell, step *Step, from time.Duration, at Moment) {
	answered := c.N + c.Retried
	if c.Workload == "" || answered == 0 {
		return
	}
	canary := 0
	if t.onCanary(KeyOf(c)) {
		canary = answered
		if !t.FirstCanary.Happened() {
			t.FirstCanary = at
		}
	}
	t.CanaryRequests += canary
	t.ServiceRequests += answered
	if step == nil {
		return
	}
	step.Canary += canary
	step.Served += answered
	if from >= step.At+transitionTime {
		step.SteadyCanary += canary
		step.SteadyServed += answered
		t.steady[KeyOf(c)] = t.steady[KeyOf(c)].Plus(CountsOf(c))
	}
}

func (t *Timeline) onCanary(k Key) bool { return IsCanary(t.Run, k) }

// IsCanary reports whether the released version's canary served the requests of a key.
func IsCanary(run event.RunStarted, k Key) bool {
	return k.Workload == run.Service && k.Version == run.Version
}

func (t *Timeline) foldHarm(at Moment) {
	if !t.FirstBad.Happened() {
		t.FirstBad = at
		t.Detected = Moment{} // earlier signals were about something else, unless they stay the only ones
		t.updateDetected()
	}
	t.LastBad = at
}

// ActualShare is the share of the released service's requests that the canary answered before the
// decision, 0 to 1.
func (t *Timeline) ActualShare() float64 {
	if t.ServiceRequests == 0 {
		return 0
	}
	return float64(t.CanaryRequests) / float64(t.ServiceRequests)
}

// Sum adds up the whole run's counts of the keys that keep accepts; nil keeps all.
func (t *Timeline) Sum(keep func(Key) bool) Counts { return sum(t.counts, keep) }

// SumSteady is [Timeline.Sum] over the seconds that are well inside one step of the analysis.
func (t *Timeline) SumSteady(keep func(Key) bool) Counts { return sum(t.steady, keep) }

// Count returns the counts of one key; CountBefore those before the release, CountSteady those of
// the seconds of [Timeline.SumSteady].
func (t *Timeline) Count(k Key) Counts       { return t.counts[k] }
func (t *Timeline) CountBefore(k Key) Counts { return t.before[k] }
func (t *Timeline) CountSteady(k Key) Counts { return t.steady[k] }

func sum(m map[Key]Counts, keep func(Key) bool) Counts {
	var s Counts
	for k, c := range m {
		if keep == nil || keep(k) {
			s = s.Plus(c)
		}
	}
	return s
}

// Keys lists the keys that were seen, in order.
func (t *Timeline) Keys() []Key { return slices.SortedFunc(maps.Keys(t.counts), Key.compare) }

// Cohorts lists the cohorts that were seen, sorted.
func (t *Timeline) Cohorts() []string {
	return t.distinct(func(k Key) string { return k.Cohort })
}

// RouteNames lists the routes that were requested, sorted.
func (t *Timeline) RouteNames() []string {
	return t.distinct(func(k Key) string { return k.Route })
}

func (t *Timeline) distinct(of func(Key) string) []string {
	set := map[string]bool{}
	for k := range t.counts {
		set[of(k)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// OnCanary keeps what the released version's canary served.
func (t *Timeline) OnCanary() func(Key) bool { return t.onCanary }

// InCohort keeps one cohort.
func InCohort(cohort string) func(Key) bool { return func(k Key) bool { return k.Cohort == cohort } }

// AllOf keeps what all of the functions keep.
func AllOf(fs ...func(Key) bool) func(Key) bool {
	return func(k Key) bool {
		for _, f := range fs {
			if f != nil && !f(k) {
				return false
			}
		}
		return true
	}
}
