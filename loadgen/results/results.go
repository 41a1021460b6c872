// Package results counts the outcomes of a load test by cohort, route and serving version, with
// latency histograms. Counts and histograms are exact, so the results of n shards add up to those
// of one run.
//
// The package does not know who sends requests, and has no objectives; see packages attack,
// lab/verdict/objective and lab/report/load.
package results

import (
	"iter"
	"slices"
	"strings"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

// Config says what is counted.
type Config struct {
	Plan  *loadgen.Plan
	Shard loadgen.Shard
	// Workload is the display name of what the plan was made from.
	Workload string
	// Digest is the plan's digest if it is known. If it is "", writing a document computes it,
	// which iterates over the plan.
	Digest string
	// Slow returns the time over which a response of a route is slow; 0, or a nil function, means
	// never.
	Slow func(route string) time.Duration
}

// Run is what only the executor knows. It is set before a document is written; counts do not depend
// on it.
type Run struct {
	// Start is the start of traffic, zero in virtual time.
	Start time.Time
	// Elapsed is how long the load test took; 0 means until the last response.
	Elapsed time.Duration
	// Unsent is the number of planned requests that were not sent because the run was stopped.
	Unsent int64
	// Workers is the number of requests that were allowed in flight at once, Peak the number that
	// were; 0 in virtual time. For merged shards they are sums.
	Workers, Peak int64
	// Saturated reports whether all workers were busy at some time.
	Saturated bool
}

// maxCells bounds the combinations of cohort, route and version. Further ones are counted in one
// cell named [cardinality.Other] in all three.
const maxCells = 10_000

// Results counts outcomes. It is not safe for concurrent use.
type Results struct {
	Run Run
	// Stopped counts the requests that were in flight, or waiting for a retry, when the run was
	// stopped. Their outcome is unknown, so they are not counted elsewhere.
	Stopped int64
	// NotSent counts the attempts that failed in the generator, by the limit that they met: one of
	// the Failure constants for which [loadgen.LocalFailure] holds. No server saw them, so they are
	// not counted elsewhere.
	NotSent map[string]int64
	// Errors counts the attempts without a response by the text of their error.
	Errors map[string]int64
	// Lag is the schedule error of the generator: how much later than intended attempts were sent,
	// in µs.
	Lag Latencies

	origin origin
	// last is when the last response ended.
	last  time.Duration
	cells map[key]*Cell
	// rows index cells without comparing names: by cohort·routes + route, then by version index.
	rows     []*[cardinality.IndexCount]*Cell
	versions cardinality.Set
}

// key identifies a cell. cohort and route index the workload's lists; the index after the last one
// stands for [cardinality.Other].
type key struct {
	cohort, route int
	version       string
}

// New returns empty results.
func New(c Config) *Results {
	o := origin{workload: c.Workload, digest: c.Digest, seed: c.Plan.Seed(), duration: c.Plan.Duration(), plan: c.Plan}
	o.shards = shardSet{of: max(c.Shard.Count, 1), have: []int{max(c.Shard.Index, 1)}}
	for _, cohort := range c.Plan.Cohorts() {
		o.cohorts = append(o.cohorts, cohort.Name)
	}
	for _, r := range c.Plan.Routes() {
		route := Route{Name: r.Name, Path: r.Path}
		if c.Slow != nil {
			route.Slow = max(c.Slow(r.Name), 0)
		}
		o.routes = append(o.routes, route)
	}
	return newResults(o)
}

func newResults(o origin) *Results {
	return &Results{origin: o, cells: map[key]*Cell{}, Lag: newLatencies(), NotSent: map[string]int64{},
		Errors: map[string]int64{}}
}

// Add counts the outcome of an attempt. It does not retain o.
func (r *Results) Add(o *loadgen.Outcome) {
	if o.Status == 0 && o.Failure == loadgen.FailureStopped {
		r.Stopped++
		return
	}
	if o.Status == 0 {
		r.noteError(o.Detail, 1)
	}
	if o.NotSent() {
		r.NotSent[o.Failure]++
		return
	}
	c := r.cellOf(int(o.Arrival.Cohort), int(o.Arrival.Route), o.Version)
	c.Attempts++
	c.Bytes += o.BytesIn
	r.Lag.add(o.Sent - o.Intended)
	r.last = max(r.last, o.Done())
	if o.Final {
		c.add(o, r.origin.routes[o.Arrival.Route].Slow)
	}
}

// cellOf returns the cell of an outcome, creating it if needed.
func (r *Results) cellOf(cohort, route int, version string) *Cell {
	if r.rows == nil {
		r.rows = make([]*[cardinality.IndexCount]*Cell, len(r.origin.cohorts)*len(r.origin.routes))
	}
	place := cohort*len(r.origin.routes) + route
	row := r.rows[place]
	if row == nil {
		row = new([cardinality.IndexCount]*Cell)
		r.rows[place] = row
	}
	i := r.versions.Index(version)
	if row[i] == nil {
		row[i] = r.cell(key{cohort, route, r.versions.Name(i)})
	}
	return row[i]
}

// cell returns the cell of a key, creating it if needed. If there are too many, it returns the cell
// for all others.
func (r *Results) cell(k key) *Cell {
	if c := r.cells[k]; c != nil {
		return c
	}
	if len(r.cells) >= maxCells {
		k = key{len(r.origin.cohorts), len(r.origin.routes), cardinality.Other}
		if c := r.cells[k]; c != nil {
			return c
		}
	}
	c := newCell()
	c.Cohort, c.Route, c.Version = r.origin.cohort(k.cohort), r.origin.route(k.route), k.version
	r.cells[k] = c
	return c
}

// Cells yields the cells with attempts, ordered by cohort and route as in the workload, then by
// version. The caller must not change them.
func (r *Results) Cells() iter.Seq[*Cell] {
	return func(yield func(*Cell) bool) {
		for _, k := range r.keys() {
			if !yield(r.cells[k]) {
				return
			}
		}
	}
}

// keys returns the keys in order.
func (r *Results) keys() []key {
	keys := make([]key, 0, len(r.cells))
	for k := range r.cells {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		if d := a.cohort - b.cohort; d != 0 {
			return d
		}
		if d := a.route - b.route; d != 0 {
			return d
		}
		return strings.Compare(a.version, b.version)
	})
	return keys
}

// Sum adds the cells that keep accepts; a nil keep accepts all. The sum has no Cohort, Route and
// Version.
func (r *Results) Sum(keep func(*Cell) bool) *Cell {
	sum := newCell()
	for c := range r.Cells() {
		if keep == nil || keep(c) {
			sum.merge(c)
		}
	}
	return sum
}

// Elapsed returns how long the load test took.
func (r *Results) Elapsed() time.Duration {
	if r.Run.Elapsed > 0 {
		return r.Run.Elapsed
	}
	return r.last
}
