package results

import (
	"math"
	"time"

	"coalmine/loadgen"
)

// Cell counts what one cohort got on one route from one version. Version is "" where the answer did not say, as where there was
// none. Requests are logical: one that its client tried again counts where its last attempt ended.
type Cell struct {
	Cohort, Route, Version string
	// Requests that ended here, and Attempts: the requests, and the attempts that ended here and were made again.
	Requests, Attempts int64
	// Failed had a 5xx or no answer, Denied 403, Limited 429, Refused another 4xx.
	Failed, Denied, Limited, Refused int64
	// Slow took longer than the route's limit; Wrong had wrong content on purpose.
	Slow, Wrong int64
	// Bad is what users would call bad: failed, denied, limited, slow or wrong. A request counts once.
	Bad int64
	// Hit were touched by the injected fault (ground truth); Harm are those of them that were bad.
	Hit, Harm int64
	// Failures counts the requests without an answer by the word for why, one of [loadgen]'s.
	Failures map[string]int64
	// Bytes are those of the answers' bodies, of all attempts.
	Bytes int64
	// Latency is of requests, from the time at which they were intended to the end of the last answer.
	Latency Latencies
}

func newCell() *Cell { return &Cell{Failures: map[string]int64{}, Latency: newLatencies()} }

// add counts a request that ended. The words mean what those of a cell of lab/event do.
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

// knownFailure keeps the reasons to those that are known.
func knownFailure(failure string) string {
	switch failure {
	case loadgen.FailureRefused, loadgen.FailureReset, loadgen.FailureTimeout, loadgen.FailureTLS, loadgen.FailureName:
		return failure
	}
	return loadgen.FailureOther
}

// NoAnswer counts the requests that had none; the other failed ones had a 5xx.
func (c *Cell) NoAnswer() int64 {
	n := int64(0)
	for _, count := range c.Failures {
		n += count
	}
	return n
}

// counts are all counts of a cell that add up, in the order of the document.
func (c *Cell) counts() []*int64 {
	return []*int64{&c.Requests, &c.Attempts, &c.Failed, &c.Denied, &c.Limited, &c.Refused, &c.Slow, &c.Wrong, &c.Bad, &c.Hit,
		&c.Harm, &c.Bytes}
}

// merge adds another cell.
func (c *Cell) merge(o *Cell) {
	add := o.counts()
	for i, n := range c.counts() {
		*n = addSaturated(*n, *add[i])
	}
	for why, n := range o.Failures {
		c.Failures[why] = addSaturated(c.Failures[why], n)
	}
	c.Latency.merge(&o.Latency)
}

// addSaturated adds counts and stays at the largest where the sum is none.
func addSaturated(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}
