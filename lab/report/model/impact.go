package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
)

// Impact is what one cohort went through from the release to the end of the run; Cohort "" is
// everyone.
type Impact struct {
	Cohort string
	timeline.Counts
	// Users were seen in the whole run; Hurt of them had at least one harmed request.
	Users, Hurt int
	// Unguarded is the harm of the same seed without guardrails; nil if it was not played.
	Unguarded *int
	// Allowed is how many bad requests the objectives allow for the number of requests, 0 without
	// objectives.
	Allowed float64
}

// Spent is the share of the error budget that was used up: 1 is all that the objectives allow. ok
// is false if they allow nothing.
func (i Impact) Spent() (share float64, ok bool) {
	if i.Allowed <= 0 {
		return 0, false
	}
	return float64(i.Bad) / i.Allowed, true
}

// Impacts returns the impact on everyone first, then that on each cohort, the most harmed first.
func (t *Trial) Impacts(r Run) []Impact {
	counts := countsSince(r.Timeline, r.Timeline.Released)
	all := []Impact{t.impact(r, counts, "")}
	for _, name := range r.Timeline.Cohorts() {
		all = append(all, t.impact(r, counts, name))
	}
	slices.SortStableFunc(all[1:], func(a, b Impact) int { return b.Harm - a.Harm })
	return all
}

func (t *Trial) impact(r Run, counts map[timeline.Key]timeline.Counts, cohort string) Impact {
	i := Impact{Cohort: cohort}
	keep := func(name string) bool { return cohort == "" || name == cohort }
	for k, c := range counts {
		if keep(k.Cohort) {
			i.Counts = i.Plus(c)
		}
	}
	i.Allowed = t.allowed(counts, keep)
	if totals := r.Timeline.Totals; totals != nil {
		i.Users, i.Hurt = sumCohorts(totals.Users, keep), sumCohorts(totals.Hurt, keep)
	}
	if r.Unguarded != nil {
		n := r.Unguarded.Sum(func(k timeline.Key) bool { return keep(k.Cohort) }).Harm
		i.Unguarded = &n
	}
	return i
}

func sumCohorts(m map[string]int, keep func(string) bool) int {
	n := 0
	for name, x := range m {
		if keep(name) {
			n += x
		}
	}
	return n
}

// allowed is how many bad requests the objectives allow. It adds up routes in order, so that the
// sum is the same on every machine.
func (t *Trial) allowed(counts map[timeline.Key]timeline.Counts, keep func(string) bool) float64 {
	requests := map[string]int{}
	var routes []string
	for k, c := range counts {
		if !keep(k.Cohort) {
			continue
		}
		if requests[k.Route] == 0 {
			routes = append(routes, k.Route)
		}
		requests[k.Route] += c.N
	}
	slices.Sort(routes)
	sum := 0.0
	for _, route := range slices.Compact(routes) {
		if success, ok := t.success(route); ok {
			sum += float64(float64(requests[route]) * (100 - success) / 100)
		}
	}
	return sum
}

// success is a route's objective in percent.
func (t *Trial) success(route string) (percent float64, ok bool) {
	for _, o := range t.Scenario.Objectives {
		switch o.Route {
		case route:
			return o.Success, true
		case "":
			percent, ok = o.Success, true
		}
	}
	return percent, ok
}

// countsSince adds up the seconds that ended after a moment; there are none if it never happened.
func countsSince(t *timeline.Timeline, since timeline.Moment) map[timeline.Key]timeline.Counts {
	counts := map[timeline.Key]timeline.Counts{}
	if !since.Happened() {
		return counts
	}
	for _, f := range t.Seconds() {
		if time.Duration(f.To) <= since.At {
			continue
		}
		for _, c := range f.Cells {
			k := timeline.KeyOf(c)
			counts[k] = counts[k].Plus(timeline.CountsOf(c))
		}
	}
	return counts
}

// Segment is one cohort on one route during the analysis: what the canary answered, and what the
// primary did.
type Segment struct {
	Cohort, Route   string
	Canary, Primary timeline.Counts
}

// SuccessRate is the share of good answers, 0 to 1; ok is false without requests.
func SuccessRate(c timeline.Counts) (share float64, ok bool) {
	if c.N == 0 {
		return 0, false
	}
	return float64(c.N-c.Bad) / float64(c.N), true
}

// excess is how much worse the canary was than the primary, as a share.
func (s Segment) excess() float64 {
	canary, _ := SuccessRate(s.Canary)
	primary, ok := SuccessRate(s.Primary)
	if !ok {
		primary = 1
	}
	return primary - canary
}

// Segments are those that the canary served before the decision, the one that fared worst first,
// and their average.
func Segments(r Run) (average Segment, segments []Segment) {
	t := r.Timeline
	index := map[[2]string]*Segment{}
	for _, k := range t.Keys() {
		if k.Workload == "" {
			continue
		}
		at := [2]string{k.Cohort, k.Route}
		if index[at] == nil {
			index[at] = &Segment{Cohort: k.Cohort, Route: k.Route}
		}
		c := t.CountSteady(k)
		if timeline.IsCanary(t.Run, k) {
			index[at].Canary, average.Canary = index[at].Canary.Plus(c), average.Canary.Plus(c)
		} else {
			index[at].Primary, average.Primary = index[at].Primary.Plus(c), average.Primary.Plus(c)
		}
	}
	for _, s := range index {
		if s.Canary.N > 0 {
			segments = append(segments, *s)
		}
	}
	slices.SortFunc(segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(b.excess(), a.excess()), cmp.Compare(a.Cohort, b.Cohort),
			cmp.Compare(a.Route, b.Route))
	})
	return average, segments
}

// StepStats is the traffic of one exposure of the released version, until the next.
type StepStats struct {
	timeline.Step
	Until           time.Duration
	Canary, Primary timeline.Counts
	// CanaryP99 and PrimaryP99 are 99th percentiles of the latency; 0 without requests.
	CanaryP99, PrimaryP99 time.Duration
	// Failed counts the checks that failed in it.
	Failed int
}

// AllStepStats cuts the run at each step of the exposure.
func AllStepStats(r Run) []StepStats {
	t := r.Timeline
	var all []StepStats
	for i, s := range t.Steps {
		until := t.Last.At
		if i+1 < len(t.Steps) {
			until = t.Steps[i+1].At
		}
		x := StepStats{Step: s, Until: until}
		x.Weight = t.Exposure(i)
		x.measure(t)
		for _, c := range t.Changes {
			if c.Failed() && c.At > s.At && c.At <= until {
				x.Failed++
			}
		}
		all = append(all, x)
	}
	return all
}

func (x *StepStats) measure(t *timeline.Timeline) {
	var canary, primary [][]event.BucketCount
	for _, f := range t.Seconds() {
		if from := time.Duration(f.From); from < x.At || from >= x.Until {
			continue
		}
		for _, c := range f.Cells {
			switch {
			case c.Workload == "":
			case timeline.IsCanary(t.Run, timeline.KeyOf(c)):
				x.Canary, canary = x.Canary.Plus(timeline.CountsOf(c)), append(canary, c.Latency)
			default:
				x.Primary, primary = x.Primary.Plus(timeline.CountsOf(c)), append(primary, c.Latency)
			}
		}
	}
	x.CanaryP99, x.PrimaryP99 = event.Quantile(0.99, canary...), event.Quantile(0.99, primary...)
}

// SuccessText formats a share of good answers.
func SuccessText(c timeline.Counts) string {
	if share, ok := SuccessRate(c); ok {
		return format.Percent(share)
	}
	return format.Missing
}

// Objectives formats the scenario's objectives.
func (t *Trial) Objectives() []string {
	var all []string
	for _, o := range t.Scenario.Objectives {
		route := "every other route"
		switch {
		case o.Route != "":
			route = "route " + o.Route
		case len(t.Scenario.Objectives) == 1:
			route = "every route"
		}
		s := fmt.Sprintf("%s: %g %% good answers", route, o.Success)
		if o.Latency > 0 {
			s += ", each within " + format.Latency(o.Latency)
		}
		all = append(all, s)
	}
	return all
}
