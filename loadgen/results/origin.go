package results

import (
	"fmt"
	"slices"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

// Route is a route of the workload.
type Route struct {
	Name, Path string
	// Slow is the time over which an answer is slow; 0 is none.
	Slow time.Duration
}

// origin is what a ledger is about. Ledgers of one origin, but for its shards, can be merged.
type origin struct {
	workload string
	digest   string
	seed     uint64
	duration time.Duration
	shards   shardSet
	cohorts  []string
	routes   []Route
	// plan is where the digest comes from as long as it is not known; nil in a ledger that was read.
	plan *loadgen.Plan
}

// shardSet are the parts of a plan that were counted, ascending, of so many.
type shardSet struct {
	of   int
	have []int
}

// String is all of n, or i/n for one, or so many of n.
func (s shardSet) String() string {
	switch {
	case len(s.have) == 1:
		return fmt.Sprintf("%d/%d", s.have[0], s.of)
	case s.complete():
		return fmt.Sprintf("all of %d", s.of)
	}
	return fmt.Sprintf("%d of %d", len(s.have), s.of)
}

func (s shardSet) complete() bool { return len(s.have) == s.of }

func (o *origin) cohort(i int) string {
	if i < len(o.cohorts) {
		return o.cohorts[i]
	}
	return cardinality.Other
}

func (o *origin) route(i int) string {
	if i < len(o.routes) {
		return o.routes[i].Name
	}
	return cardinality.Other
}

// Workload names what the plan was made from.
func (l *Results) Workload() string { return l.origin.workload }

// Seed is that of the plan.
func (l *Results) Seed() uint64 { return l.origin.seed }

// Duration is that of the plan: how long requests were to be sent.
func (l *Results) Duration() time.Duration { return l.origin.duration }

// Shards tells which parts of the plan were counted, ascending, and of how many.
func (l *Results) Shards() (have []int, of int) {
	return slices.Clone(l.origin.shards.have), l.origin.shards.of
}

// Cohorts are the names of the workload's cohorts, in its order. They must not be changed.
func (l *Results) Cohorts() []string { return l.origin.cohorts }

// Routes are the workload's routes, in its order. They must not be changed.
func (l *Results) Routes() []Route { return l.origin.routes }

// Digest is that of the plan. The first call may take a walk over the plan.
func (l *Results) Digest() string {
	if o := &l.origin; o.digest == "" && o.plan != nil {
		o.digest = o.plan.Digest()
	}
	return l.origin.digest
}
