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
	// Slow is the time over which a response is slow; 0 means never.
	Slow time.Duration
}

// origin identifies the plan that was played. Results whose origins differ only in their shards can
// be merged.
type origin struct {
	workload string
	digest   string
	seed     uint64
	duration time.Duration
	shards   shardSet
	cohorts  []string
	routes   []Route
	// plan computes the digest if it is not known; it is nil in results that were read from a
	// document.
	plan *loadgen.Plan
}

// shardSet is the set of shards that were counted, ascending, out of a total.
type shardSet struct {
	of   int
	have []int
}

// String returns "all of n", or "i/n" for one shard, or "k of n".
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

// Workload returns the name of what the plan was made from.
func (r *Results) Workload() string { return r.origin.workload }

// Seed returns the seed of the plan.
func (r *Results) Seed() uint64 { return r.origin.seed }

// Duration returns the duration of the plan.
func (r *Results) Duration() time.Duration { return r.origin.duration }

// Shards returns the shards that were counted, ascending, and their total number.
func (r *Results) Shards() (have []int, of int) {
	return slices.Clone(r.origin.shards.have), r.origin.shards.of
}

// Cohorts returns the names of the workload's cohorts, in order. The caller must not change them.
func (r *Results) Cohorts() []string { return r.origin.cohorts }

// Routes returns the workload's routes, in order. The caller must not change them.
func (r *Results) Routes() []Route { return r.origin.routes }

// Digest returns the digest of the plan. The first call may have to iterate over the plan.
func (r *Results) Digest() string {
	if o := &r.origin; o.digest == "" && o.plan != nil {
		o.digest = o.plan.Digest()
	}
	return r.origin.digest
}
