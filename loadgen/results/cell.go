package results

import (
	"math"
	"time"

	"coalmine/loadgen"
)

// Cell counts the requests of one cohort to one route served by one version. Version is "" if the
// response did not tell, or if there was none. Requests are logical: a request that its client
// retried counts where its last attempt ended.
type Cell struct {
	Cohort, Route, Version string
	// Requests counts those that ended here. Attempts counts them and the attempts that ended here
	// and were retried.
	Requests, Attempts int64
	// Failed had a 5xx or no response, Denied a 403, Limited a 429, Refused another 4xx.
	Failed, Denied, Limited, Refused int64
	// Slow took longer than the route's limit; Wrong had wrong content on purpose.
	Slow, Wrong int64
	// Bad is failed, denied, limited, slow or wrong. A request counts once.
	Bad int64
	// Hit were affected by the injected fault (ground truth); Harm are those of them that were bad.
	Hit, Harm int64
	// Failures counts the requests without a response by reason, one of the Failure constants of
	// [loadgen].
	Failures map[string]int64
	// Statuses counts the requests with a response by status. Documents of format 1 lack it.
	Statuses map[uint16]int64
	// Bytes is the total size of the response bodies, over all attempts.
	Bytes int64
	// Latency is that of requests, from the intended start to the end of the last response.
	Latency Latencies
}

func newCell() *Cell {
	return &Cell{Failures: map[string]int64{}, Statuses: map[uint16]int64{}, Latency: newLatencies()}
}

// add counts a request that ended. The terms are those of a cell of lab/event.
func (c *Cell) add(o *loadgen.Outcome, slow time.Duration) {
	c.Requests++
	c.Latency.add(o.Latency)
	bad := o.Wrong
	switch {
	case o.Failed():
		c.Failed++
		bad = true
	case o.Status == 403:
		c.Denied++
		bad = true
	case o.Status == 429:
		c.Limited++
		bad = true
	case o.Status >= 400:
		c.Refused++
	}
	if o.Status == 0 {
		c.Failures[knownFailure(o.Failure)]++
	} else {
		c.Statuses[o.Status]++
	}
	if o.Wrong {
		c.Wrong++
	}
	if slow > 0 && o.Latency > slow {
		c.Slow++
		bad = true
	}
	c.addFaultTruth(o.Hit, bad)
}

func (c *Cell) addFaultTruth(hit, bad bool) {
	if bad {
		c.Bad++
	}
	if hit {
		c.Hit++
	}
	if hit && bad {
		c.Harm++
	}
}

// knownFailure maps unknown reasons to FailureOther.
func knownFailure(failure string) string {
	switch failure {
	case loadgen.FailureRefused, loadgen.FailureReset, loadgen.FailureTimeout, loadgen.FailureTLS, loadgen.FailureName,
		loadgen.FailureUnreachable, loadgen.FailureProtocol:
		return failure
	}
	return loadgen.FailureOther
}

// NoAnswer returns the number of requests without a response; the other failed ones had a 5xx.
func (c *Cell) NoAnswer() int64 {
	n := int64(0)
	for _, count := range c.Failures {
		n += count
	}
	return n
}

// Answered returns the number of requests with a status from low to high, or false if the statuses
// are not known, as in documents of format 1.
func (c *Cell) Answered(low, high uint16) (n int64, known bool) {
	sum := int64(0)
	for status, count := range c.Statuses {
		sum += count
		if low <= status && status <= high {
			n += count
		}
	}
	return n, sum == c.Requests-c.NoAnswer()
}

// counts returns pointers to all counts of a cell, in the order of the document.
func (c *Cell) counts() []*int64 {
	return []*int64{&c.Requests, &c.Attempts, &c.Failed, &c.Denied, &c.Limited, &c.Refused, &c.Slow, &c.Wrong,
		&c.Bad, &c.Hit,
		&c.Harm, &c.Bytes}
}

// merge adds another cell.
func (c *Cell) merge(o *Cell) {
	_, known := c.Answered(0, 0)
	_, others := o.Answered(0, 0)
	add := o.counts()
	for i, n := range c.counts() {
		*n = addSaturated(*n, *add[i])
	}
	for why, n := range o.Failures {
		c.Failures[why] = addSaturated(c.Failures[why], n)
	}
	for status, n := range o.Statuses {
		c.Statuses[status] = addSaturated(c.Statuses[status], n)
	}
	if !known || !others {
		clear(c.Statuses) // a part of them would be wrong
	}
	c.Latency.merge(&o.Latency)
}

// addSaturated returns the sum, or the largest integer if it overflows.
func addSaturated(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}
