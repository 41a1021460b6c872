package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
)

// Check is one metric or gate that checked the release, and its results.
type Check struct {
	// Gate is set for gates. Name is the metric's or the gate's, URL the gate's address.
	Gate      bool
	Name, URL string
	// Asked and Failed count results since the release. Hurting counts those while users were hurt,
	// and Missed those of them that passed.
	Asked, Failed   int
	Hurting, Missed int
	// First is the first failure at or after the first harm, or the first at all if no user was
	// hurt.
	First timeline.Moment
	// NoValue counts queries of a metric that had no value, for which Flagger fails a check.
	NoValue int
	// Last is the latest result, LastMissed the latest of those that count in Missed.
	Last, LastMissed timeline.Moment
	// Closest is, of the results that passed, the one nearest to its bound; nil if none is known.
	// ClosestAt is when. Failure is the first result that failed while or after users were hurt, or,
	// if there is none, the first that failed.
	Closest, Failure *event.Query
	ClosestAt        timeline.Moment
	margin           float64
	reason           string // of a gate, chosen as Failure is
}

// Valueless reports whether a metric was asked and never had a value.
func (w Check) Valueless() bool { return !w.Gate && w.Asked > 0 && w.NoValue == w.Asked }

// Noticed reports whether it failed once users were hurt.
func (w Check) Noticed() bool { return w.First.Happened() }

// Blind reports whether it was asked while users were hurt and always passed.
func (w Check) Blind() bool { return w.Hurting > 0 && w.Missed == w.Hurting }

// Checks lists what checked the release, metrics first, in the order of their first results.
func Checks(r Run) []Check {
	t := r.Timeline
	var metrics, gates []*Check
	index := map[string]*Check{}
	find := func(list *[]*Check, w Check) *Check {
		key := fmt.Sprint(w.Gate, w.Name, " ", w.URL)
		if index[key] == nil {
			index[key] = &w
			*list = append(*list, &w)
		}
		return index[key]
	}
	for i, e := range t.Facts {
		m := timeline.Moment{At: e.At, Seq: e.Seq}
		if !t.Released.Happened() || m.Seq < t.Released.Seq {
			continue
		}
		switch f := e.Fact.(type) {
		case event.Query:
			if f.Asker != "" && f.Asker == t.Canary {
				f.Metric = timeline.MetricName(f)
				find(&metrics, Check{Name: f.Metric, margin: math.Inf(1)}).metric(t, m, f, passed(t, i, f))
			}
		case event.Gate:
			if f.Canary == t.Canary && f.Judges() {
				find(&gates, Check{Gate: true, Name: f.Name, URL: f.URL}).gate(t, m, f)
			}
		}
	}
	var all []Check
	for _, w := range append(metrics, gates...) {
		all = append(all, *w)
	}
	return all
}

// sameTick is how long after a check its consequence may come.
const sameTick = 3 * time.Second

// passed reports whether the query at an index of the facts passed. If the log lacks its bounds, it
// failed if a failed check follows and Flagger queried nothing in between, since Flagger stops at
// the first check that fails.
func passed(t *timeline.Timeline, index int, q event.Query) bool {
	if q.Error != "" || q.Value == nil || q.Min != nil || q.Max != nil {
		return timeline.QueryPassed(q)
	}
	for _, e := range t.Facts[index+1:] {
		if e.At > t.Facts[index].At+sameTick {
			break
		}
		switch f := e.Fact.(type) {
		case event.Query:
			if f.Asker == q.Asker {
				return true
			}
		case event.Canary:
			if i := slices.IndexFunc(t.Changes, func(c timeline.Change) bool { return c.Seq == e.Seq }); i >= 0 {
				return !t.Changes[i].Failed()
			}
		}
	}
	return true
}

func (w *Check) metric(t *timeline.Timeline, m timeline.Moment, q event.Query, passed bool) {
	w.count(t, m, passed)
	if q.Value == nil {
		w.NoValue++
	}
	if !passed {
		if w.Failure == nil || w.First == m {
			w.Failure = &q
		}
		return
	}
	if d, ok := margin(q); ok && d < w.margin {
		w.margin, w.Closest, w.ClosestAt = d, &q, m
	}
}

func (w *Check) gate(t *timeline.Timeline, m timeline.Moment, g event.Gate) {
	passed := g.Passed
	if g.Hook == event.HookRollback { // passing it rolls back
		passed = !passed
	}
	w.count(t, m, passed)
	if !passed && (w.reason == "" || w.First == m) {
		w.reason = g.Reason
	}
}

func (w *Check) count(t *timeline.Timeline, m timeline.Moment, passed bool) {
	w.Asked++
	w.Last = m
	hurting := t.FirstBad.Happened() && m.At >= t.FirstBad.At && m.At <= t.LastBad.At+time.Second
	if hurting {
		w.Hurting++
	}
	if passed {
		if hurting {
			w.Missed++
			w.LastMissed = m
		}
		return
	}
	w.Failed++
	if !w.First.Happened() && m.At >= t.FirstBad.At {
		w.First = m
	}
}

// margin is how far a result was from its bound, as a share of the bound.
func margin(q event.Query) (float64, bool) {
	least := math.Inf(1)
	for _, bound := range []*float64{q.Min, q.Max} {
		if bound != nil && q.Value != nil {
			least = min(least, math.Abs(*q.Value-*bound)/max(math.Abs(*bound), 1e-9))
		}
	}
	return least, !math.IsInf(least, 1)
}

// Text says in words what the check did.
func (w Check) Text(t *timeline.Timeline) string {
	switch {
	case w.Gate:
		return w.gateText(t)
	case w.Valueless():
		return w.valuelessText(t)
	case w.Failed == 0 && w.Blind():
		return fmt.Sprintf("passed %s while users were hurt%s", timesOf(w.Missed, w.Hurting), w.closest())
	case w.Failed == 0:
		return fmt.Sprintf("passed %s%s", timesOf(w.Asked, w.Asked), w.closest())
	case !w.Noticed():
		return fmt.Sprintf("failed %s, each time before any user was hurt (%s)", timesOf(w.Failed, w.Asked),
			queryResult(*w.Failure))
	}
	return fmt.Sprintf("failed %s, first %s (%s)", timesOf(w.Failed, w.Asked), firstFailure(t, w.First),
		queryResult(*w.Failure))
}

// valuelessText says why a metric never had a value, as far as the log shows.
func (w Check) valuelessText(t *timeline.Timeline) string {
	text := fmt.Sprintf("never had a value, %s, and a check without a value fails", timesOf(w.Asked, w.Asked))
	switch {
	case w.Failure != nil && w.Failure.Error != "":
		return text + ": " + w.Failure.Error
	case !t.FirstCanary.Happened() || t.FirstCanary.Seq > w.Last.Seq:
		return text + ": the canary had no traffic"
	}
	return text
}

func (w Check) gateText(t *timeline.Timeline) string {
	if w.Failed == 0 {
		if w.Blind() {
			return fmt.Sprintf("passed %s while users were hurt", timesOf(w.Missed, w.Hurting))
		}
		return fmt.Sprintf("passed %s", timesOf(w.Asked, w.Asked))
	}
	reason := ""
	if w.reason != "" {
		reason = ": " + w.reason
	}
	if !w.Noticed() {
		return fmt.Sprintf("stopped the rollout %s, each time before any user was hurt%s",
			timesOf(w.Failed, w.Asked), reason)
	}
	return fmt.Sprintf("stopped the rollout %s, first %s%s", timesOf(w.Failed, w.Asked),
		firstFailure(t, w.First), reason)
}

func (w Check) closest() string {
	if w.Closest == nil {
		return ""
	}
	return "; closest: " + queryResult(*w.Closest) + " at " + format.Clock(w.ClosestAt.At)
}

// queryResult is a result without its metric's name.
func queryResult(q event.Query) string {
	q.Metric = ""
	return strings.TrimSpace(narrative.DescribeQuery(q))
}

func timesOf(n, of int) string {
	switch {
	case n == of && n == 1:
		return "the one time it was asked"
	case n == of && n == 2:
		return "both times"
	case n == of:
		return fmt.Sprintf("all %d times", n)
	}
	return fmt.Sprintf("%d of %d times", n, of)
}

func firstFailure(t *timeline.Timeline, m timeline.Moment) string {
	if t.FirstBad.Happened() {
		return format.Duration(m.Since(t.FirstBad)) + " after the first user was hurt"
	}
	return "at " + format.Clock(m.At)
}
