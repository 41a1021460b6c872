package results

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"coalmine/loadgen"
)

// Limit is a limit of the generator that was reached. Results under a limit say nothing certain
// about the server.
type Limit struct {
	// Name is [LimitLate], or one of the Failure constants for which [loadgen.LocalFailure] holds.
	Name string `json:"name"`
	// Text says what happened, as a clause that follows "the generator".
	Text string `json:"text"`
	// Advice says what to do, as a sentence.
	Advice string `json:"advice"`
}

// LimitLate says that requests were sent too late.
const LimitLate = "late"

// The generator is late if a tenth of all attempts were sent lateAfter or more after their time. A
// pause of the machine in a longer test stays below that; a generator that is too slow does not,
// because its delay grows.
const (
	lateAfter    = 100 * time.Millisecond
	lateQuantile = 0.9
)

// Limits returns the limits that the generator reached, or nil if there are none.
func (r *Results) Limits() []Limit {
	var list []Limit
	for _, why := range slices.Sorted(maps.Keys(r.NotSent)) {
		if n := r.NotSent[why]; n > 0 {
			list = append(list, notSent(why, n))
		}
	}
	if late := r.Lag.Quantile(lateQuantile); late >= lateAfter {
		list = append(list, r.late(late))
	}
	return list
}

// notSent returns the limit for which n attempts were not sent.
func notSent(why string, n int64) Limit {
	attempts := fmt.Sprintf("could not send %d attempts", n)
	if n == 1 {
		attempts = "could not send 1 attempt"
	}
	switch why {
	case loadgen.FailurePorts:
		return Limit{why, attempts + ": no local port was free",
			"Send from several machines with --shard, or at a lower rate."}
	case loadgen.FailureDescriptors:
		return Limit{why, attempts + ": too many open files", "Raise the limit with ulimit -n."}
	}
	return Limit{why, attempts + ": the kernel had no memory for connections",
		"Send from several machines with --shard, or at a lower rate."}
}

// late returns the limit of a generator that sent a tenth of the attempts this late.
func (r *Results) late(by time.Duration) Limit {
	text := fmt.Sprintf("sent a tenth of the requests %s late or later", roundTime(by))
	if r.Run.Saturated {
		return Limit{LimitLate, fmt.Sprintf("%s: all %d workers were busy", text, r.Run.Workers), "Raise --workers."}
	}
	return Limit{LimitLate, text + ": this machine could not keep up",
		"Send at a lower rate, or from several machines with --shard; check what else uses the CPU."}
}

// roundTime rounds to two digits or so.
func roundTime(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(10 * time.Millisecond)
}

// maxErrorTexts bounds the different error texts that are kept; others count as otherErrors.
const (
	maxErrorTexts = 20
	otherErrors   = "other errors"
)

// noteError counts the text of the error of an attempt without a response.
func (r *Results) noteError(text string, n int64) {
	if text == "" {
		return
	}
	if _, known := r.Errors[text]; !known && len(r.Errors) >= maxErrorTexts {
		text = otherErrors
	}
	r.Errors[text] = addSaturated(r.Errors[text], n)
}
