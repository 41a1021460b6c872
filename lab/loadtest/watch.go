package loadtest

import (
	"context"
	"errors"
	"time"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/results"
)

// errViolated ends a test whose objectives are violated.
var errViolated = errors.New("an objective is violated")

// violationSeconds is for how many judgements in a row, one each second, an objective has to be
// violated before the test ends: one slow second at the start decides nothing.
const violationSeconds = 5

// watch judges the objectives while a test runs and ends it when one stays violated. The zero value
// of its time is the start of the traffic.
type watch struct {
	objectives []objective.Objective
	stop       context.CancelCauseFunc

	next     time.Duration
	violated int
}

// judge judges the results of the time so far, at most once each second. A nil watch does nothing.
func (w *watch) judge(at time.Duration, r *results.Results) {
	if w == nil || at < w.next {
		return
	}
	w.next = at + time.Second
	w.violated++
	r.Run.Elapsed = at // rates are per second of the time so far
	if objective.Worst(objective.JudgeAll(w.objectives, r)) != objective.Violated {
		w.violated = 0
	}
	if w.violated == violationSeconds {
		w.stop(errViolated)
	}
}
