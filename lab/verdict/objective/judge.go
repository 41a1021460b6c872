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

// State is the result of an objective or a condition.
type State string

// States, from best to worst.
const (
	Met State = "met"
	// Inconclusive: no request was selected, or too few to decide, or the generator reached a
	// limit.
	Inconclusive State = "inconclusive"
	Violated     State = "violated"
)

// Verdict is the result of an objective: violated if any condition is, otherwise inconclusive if
// any is.
type Verdict struct {
	Objective string `json:"objective"`
	State     State  `json:"state"`
	// Requests is the number of requests that the objective selects.
	Requests int64 `json:"requests"`
	// Conditions are in the objective's order.
	Conditions []Judged `json:"conditions"`
}

// Judged is the result of one condition.
type Judged struct {
	Condition string `json:"condition"`
	State     State  `json:"state"`
	// Value is the measured value: seconds, a share from 0 to 1, or requests per second. It is
	// omitted if no request was selected.
	Value *float64 `json:"value,omitempty"`
	// Sentence is the result in words.
	Sentence string `json:"sentence"`
}

// Sentence returns the verdict in words, condition by condition.
func (v Verdict) Sentence() string {
	parts := make([]string, len(v.Conditions))
	for i, c := range v.Conditions {
		parts[i] = c.Sentence
	}
	return strings.Join(parts, "; ")
}

// JudgeAll judges several objectives.
func JudgeAll(objectives []Objective, r *results.Results) []Verdict {
	var verdicts []Verdict
	for _, o := range objectives {
		verdicts = append(verdicts, o.Judge(r))
	}
	return verdicts
}

// Worst returns the worst state of all verdicts, or Met if there are none.
func Worst(verdicts []Verdict) State {
	worst := Met
	for _, v := range verdicts {
		if worst == Met || v.State == Violated {
			worst = v.State
		}
	}
	return worst
}

// confidence is the confidence level of the intervals in sentences, and of decisions on few
// requests.
const confidence = 0.95

// Judge compares results with the objective. The measured value decides if there are enough
// requests to measure it: 1/(1−q) or 1/q for the quantile q, because p99 of fewer than 100 requests
// is just the slowest of them; 1/s or 1/(1−s) for a limit of a share s, because fewer than 100
// requests cannot have 1 % of errors. With fewer, a condition that holds is met, and one that does
// not is violated only if the exact 95 % interval of the share (Clopper-Pearson) excludes the
// limit; otherwise it is inconclusive.
//
// If the generator reached a limit ([results.Results.Limits]), everything is inconclusive: what was
// measured is the generator. A violation that smaller delays of the generator may have caused is
// inconclusive too.
func (o Objective) Judge(r *results.Results) Verdict {
	cell, limits := r.Sum(o.selector.matches), r.Limits()
	v := Verdict{Objective: o.text, State: Met, Requests: cell.Requests}
	for _, c := range o.conditions {
		j := Judged{Condition: c.String(), State: Inconclusive, Sentence: "no request" + o.selector.words(r) +
			" has ended"}
		if cell.Requests > 0 {
			j = c.judge(cell, r)
		}
		switch {
		case len(limits) > 0:
			j.undecided(limits[0].Text)
		case j.State == Violated && !c.isCertain(cell, r):
			j.undecided("sent requests up to " + format.Latency(r.Lag.Max()) + " late")
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

// words describes the selection for an error. If no such version exists, it lists those that do.
func (s *selector) words(r *results.Results) string {
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
	for c := range r.Cells() {
		if c.Version != "" && !slices.Contains(seen, c.Version) {
			seen = append(seen, c.Version)
		}
	}
	slices.Sort(seen)
	if len(seen) == 0 {
		return text + " (no response named its version)"
	}
	return fmt.Sprintf("%s (versions: %s)", text, list(seen))
}

func (c condition) judge(cell *results.Cell, r *results.Results) Judged {
	switch {
	case c.metric.quantile > 0:
		return c.judgeQuantile(cell)
	case c.metric.kind == perSecond:
		return c.judgeRate(cell, r.Elapsed())
	case c.metric.kind == share:
		return c.judgeShare(cell)
	}
	return c.judgeTime(cell)
}

// undecided takes a result back because of what the generator did.
func (j *Judged) undecided(why string) {
	j.State = Inconclusive
	j.Sentence += "; undecided, because the generator " + why
}

func (c condition) judgeTime(cell *results.Cell) Judged {
	value := cell.Latency.Mean()
	if c.metric.name == "max" {
		value = cell.Latency.Max()
	}
	return c.measured(float64(value), 1e9, fmt.Sprintf("%s of %s is %s", c.metric.name, requests(cell.Requests),
		format.Latency(value)))
}

func requests(n int64) string { return format.Count(n, "request", "requests") }

// measured decides by the value alone. Value is reported divided by unit.
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
	j := c.measured(float64(value), 1e9, fmt.Sprintf("%s of %s is %s", c.metric.name, requests(n),
		format.Latency(value)))
	over := cell.Latency.Over(c.lastWithin())
	if j.State == Violated && !c.op.isLowerBound() {
		j.Sentence += fmt.Sprintf(": %s took longer", format.Percent(float64(over)/float64(n)))
	}
	return c.checkSampleSize(j, over, n, 1-c.metric.quantile, c.metric.name)
}

// lastWithin returns the longest time that is not over the limit, as the operator defines over.
func (c condition) lastWithin() time.Duration {
	if c.op == less || c.op == greaterEqual {
		return duration(c.limit) - 1
	}
	return duration(c.limit)
}

func (c condition) judgeShare(cell *results.Cell) Judged {
	n, known := cell.Requests, true
	k, name := cell.Bad, c.metric.name+" is "
	switch {
	case c.metric.statuses != statusRange{}:
		k, known = cell.Answered(c.metric.statuses.low, c.metric.statuses.high)
		name = c.metric.words() + " are "
	case c.metric.name == "success":
		k = succeeded(cell)
	case c.metric.name == "errors":
		k, name = cell.Failed, "errors are "
	}
	if !known {
		return c.unknown()
	}
	i := stats.ClopperPearson(int(k), int(n), confidence)
	value := float64(k) / float64(n)
	j := c.measured(value, 1, fmt.Sprintf("%s%s of %s (95 %% interval %s to %s)", name, format.Percent(value),
		requests(n),
		format.Percent(i.Low), format.Percent(i.High)))
	if i.Low < c.limit && c.limit < i.High {
		j.Sentence += "; the limit is within the interval, so another run may differ"
	}
	return c.checkSampleSize(j, k, n, c.limit, "a share of "+c.value)
}

func (c condition) judgeRate(cell *results.Cell, elapsed time.Duration) Judged {
	if elapsed <= 0 {
		return Judged{Condition: c.String(), State: Inconclusive,
			Sentence: "the load test took no time, so it has no rate"}
	}
	n, known, name := cell.Requests, true, "rate"
	if c.metric.statuses != (statusRange{}) {
		n, known = cell.Answered(c.metric.statuses.low, c.metric.statuses.high)
		name = "rate of " + c.metric.words()
	}
	if !known {
		return c.unknown()
	}
	value := float64(n) / elapsed.Seconds()
	return c.measured(value, 1, fmt.Sprintf("%s is %s per second (%s in %s)", name, format.Rate(value), requests(n),
		format.Latency(elapsed)))
}

// succeeded returns the number of requests with a 2xx or 3xx that are not bad.
func succeeded(cell *results.Cell) int64 { return max(cell.Requests-cell.Bad-cell.Refused, 0) }

// unknown is the result of a condition on statuses that an older version did not save.
func (c condition) unknown() Judged {
	return Judged{Condition: c.String(), State: Inconclusive,
		Sentence: "the results were saved by an older version, without statuses"}
}

// checkSampleSize makes a violation inconclusive if k of n requests are too few to measure a share
// like the limit and do not prove the violation.
func (c condition) checkSampleSize(j Judged, k, n int64, limit float64, what string) Judged {
	need := minRequests(limit)
	if j.State != Violated || n >= need {
		return j
	}
	if i := stats.ClopperPearson(int(k), int(n), confidence); i.Low > limit || i.High < limit {
		return j
	}
	j.State = Inconclusive
	j.Sentence += fmt.Sprintf("; measuring %s takes at least %s", what, requests(need))
	return j
}

// minRequests returns the smallest number of requests of which one is not more than the share.
func minRequests(limit float64) int64 {
	least := min(limit, 1-limit)
	if least <= 0 {
		return 1
	}
	// Rounding errors of the share must not require one more request.
	return int64(math.Ceil(1/least - 1e-6))
}
