package objective

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/verdict/stats"
	"coalmine/loadgen/results"
)

// State is what accounts say about an objective.
type State string

// States, from best to worst.
const (
	Met State = "met"
	// Inconclusive: no request was selected, or so few that they cannot say.
	Inconclusive State = "inconclusive"
	Violated     State = "violated"
)

// Verdict is what accounts say about an objective: violated if a condition is, else inconclusive if one is.
type Verdict struct {
	Objective string `json:"objective"`
	State     State  `json:"state"`
	// Requests are those that the objective selects.
	Requests int64 `json:"requests"`
	// Conditions are in the objective's order.
	Conditions []Judged `json:"conditions"`
}

// Judged is what accounts say about one condition.
type Judged struct {
	Condition string `json:"condition"`
	State     State  `json:"state"`
	// Value was measured: seconds, a share from 0 to 1, or requests per second. It is missing where no request was selected.
	Value *float64 `json:"value,omitempty"`
	// Sentence says it for people.
	Sentence string `json:"sentence"`
}

// Sentence says the verdict for people, each condition on its own.
func (v Verdict) Sentence() string {
	parts := make([]string, len(v.Conditions))
	for i, c := range v.Conditions {
		parts[i] = c.Sentence
	}
	return strings.Join(parts, "; ")
}

// confidence of the intervals in sentences, and of what few requests say.
const confidence = 0.95

// Judge holds accounts against the objective. What was measured decides, if there are requests enough to measure it: for the
// quantile q, 1/(1−q) or 1/q, as p99 of fewer than 100 is but the slowest of them; for a limit of a share s, 1/s or 1/(1−s), as
// fewer than 100 cannot have 1 % of errors. With fewer, a condition that holds is met, and one that does not is violated only if
// the exact 95 % interval of the share in question (Clopper-Pearson) excludes the limit; else it is inconclusive.
func (o Objective) Judge(l *results.Results) Verdict {
	cell := l.Sum(o.selector.matches)
	v := Verdict{Objective: o.text, State: Met, Requests: cell.Requests}
	for _, c := range o.conditions {
		j := Judged{Condition: c.String(), State: Inconclusive, Sentence: "no request" + o.selector.words(l) + " ended"}
		if cell.Requests > 0 {
			j = c.judge(cell, l.Elapsed())
		}
		v.Conditions = append(v.Conditions, j)
		if v.State == Met || j.State == Violated {
			v.State = j.State
		}
	}
	return v
}

func (s *selector) matches(c *results.Cell) bool {
	return (s.cohort == nil || *s.cohort == c.Cohort) && (s.version == nil || *s.version == c.Version) &&
		(s.route == nil || slices.Contains(s.routes, c.Route))
}

// words names what is selected, for an error; with a version that does not exist come those that do.
func (s *selector) words(l *results.Results) string {
	text := ""
	if s.cohort != nil {
		text += " of cohort " + *s.cohort
	}
	if s.route != nil {
		text += " on route " + *s.route
	}
	if s.version == nil {
		return text
	}
	text += fmt.Sprintf(" by version %q", *s.version)
	var seen []string
	for c := range l.Cells() {
		if c.Version != "" && !slices.Contains(seen, c.Version) {
			seen = append(seen, c.Version)
		}
	}
	slices.Sort(seen)
	if len(seen) == 0 {
		return text + " (answers named no version)"
	}
	return fmt.Sprintf("%s (versions: %s)", text, list(seen))
}

func (c condition) judge(cell *results.Cell, elapsed time.Duration) Judged {
	switch {
	case c.metric.quantile > 0:
		return c.judgeQuantile(cell)
	case c.metric.kind == share:
		return c.judgeShare(cell)
	case c.metric.kind == perSecond:
		return c.judgeRate(cell, elapsed)
	}
	value := cell.Latency.Mean()
	if c.metric.name == "max" {
		value = cell.Latency.Max()
	}
	return c.measured(float64(value), 1e9, fmt.Sprintf("%s of %s is %s", c.metric.name, requests(cell.Requests), format.Latency(value)))
}

func requests(n int64) string { return format.Count(n, "request", "requests") }

// measured decides by a value alone. The value is reported in the given unit.
func (c condition) measured(value, unit float64, text string) Judged {
	reported := value / unit
	j := Judged{Condition: c.String(), State: Met, Value: &reported}
	if c.op.holds(value, c.limit) {
		j.Sentence = fmt.Sprintf("%s, %s %s", text, c.op.words(), c.value)
		return j
	}
	j.State, j.Sentence = Violated, fmt.Sprintf("%s, not %s %s", text, c.op.words(), c.value)
	return j
}

func (c condition) judgeQuantile(cell *results.Cell) Judged {
	value, n := cell.Latency.Quantile(c.metric.quantile), cell.Requests
	j := c.measured(float64(value), 1e9, fmt.Sprintf("%s of %s is %s", c.metric.name, requests(n), format.Latency(value)))
	over := cell.Latency.Over(c.lastWithin())
	if j.State == Violated && !c.op.isLowerBound() {
		j.Sentence += fmt.Sprintf(": %s of them took longer", format.Percent(float64(over)/float64(n)))
	}
	return c.checkSampleSize(j, over, n, 1-c.metric.quantile, c.metric.name)
}

// lastWithin is the longest time that is not over the limit, for the operator's sense of over.
func (c condition) lastWithin() time.Duration {
	if c.op == less || c.op == greaterEqual {
		return duration(c.limit) - 1
	}
	return duration(c.limit)
}

func (c condition) judgeShare(cell *results.Cell) Judged {
	n, k := cell.Requests, cell.Bad
	name := c.metric.name + " are "
	switch c.metric.name {
	case "success":
		k, name = n-cell.Bad, "success is "
	case "errors":
		k = cell.Failed
	case "bad":
		name = "bad is "
	}
	i := stats.ClopperPearson(int(k), int(n), confidence)
	value := float64(k) / float64(n)
	j := c.measured(value, 1, fmt.Sprintf("%s%s of %s (95 %% interval %s to %s)", name, format.Percent(value), requests(n),
		format.Percent(i.Low), format.Percent(i.High)))
	if i.Low < c.limit && c.limit < i.High {
		j.Sentence += ", which is within the interval: another run may say otherwise"
	}
	return c.checkSampleSize(j, k, n, c.limit, "a share of "+c.value)
}

func (c condition) judgeRate(cell *results.Cell, elapsed time.Duration) Judged {
	if elapsed <= 0 {
		return Judged{Condition: c.String(), State: Inconclusive, Sentence: "the load took no time, so it has no rate"}
	}
	value := float64(cell.Requests) / elapsed.Seconds()
	return c.measured(value, 1, fmt.Sprintf("rate is %s per second (%s in %s)", format.Rate(value), requests(cell.Requests), format.Latency(elapsed)))
}

// checkSampleSize makes a violation inconclusive where k of n requests, too few to measure a share such as the limit, do not prove it.
func (c condition) checkSampleSize(j Judged, k, n int64, limit float64, what string) Judged {
	need := minRequests(limit)
	if j.State != Violated || n >= need {
		return j
	}
	if i := stats.ClopperPearson(int(k), int(n), confidence); i.Low > limit || i.High < limit {
		return j
	}
	j.State = Inconclusive
	j.Sentence += fmt.Sprintf("; but it takes %s to measure %s", requests(need), what)
	return j
}

// minRequests is the number of requests of which one is not more than the share.
func minRequests(limit float64) int64 {
	least := min(limit, 1-limit)
	if least <= 0 {
		return 1
	}
	// What a float lacks to its decimal digits asks for no further request.
	return int64(math.Ceil(1/least - 1e-6))
}
