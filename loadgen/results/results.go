// Package results keeps the accounts of a load: how many requests of which cohort on which route which version answered, how
// well, and how fast. Counts and histograms are exact, so that the accounts of n shards add up to those of one run.
//
// The package counts outcomes and knows neither what made them nor what they are to be like: executors are elsewhere, and so
// are objectives. It prints nothing; see its package view.
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
	// Workload names what the plan was made from, for people.
	Workload string
	// Digest is that of the plan, if it is known already; "" computes it when a document is written, which takes a walk over the
	// plan.
	Digest string
	// Slow is the time over which an answer of a route is slow; 0, or a nil function, is none.
	Slow func(route string) time.Duration
}

// Run is what the executor alone knows. It is set before a document is written; counts do not depend on it.
type Run struct {
	// Start of traffic; zero in virtual time.
	Start time.Time
	// Elapsed is how long requests were sent and answered; 0 stands for the time of the last answer.
	Elapsed time.Duration
	// Unsent counts planned requests that were not sent, because the run was stopped.
	Unsent int64
}

// maxCells bounds the combinations of cohort, route and version that are told apart. What comes over it falls into one cell
// that is named [label.Other] in all three.
const maxCells = 10_000

// Results counts outcomes. It is for one goroutine.
type Results struct {
	Run Run
	// Stopped counts requests that were under way, or waiting to be tried again, when the run was stopped: nobody knows what would
	// have become of them, so they count nowhere else.
	Stopped int64
	// Lag is by how much attempts were sent later than intended: the schedule error of the generator, in µs.
	Lag Latencies

	origin origin
	// last is when the last answer was there.
	last  time.Duration
	cells map[key]*Cell
	// rows find cells without a look at names: by cohort·routes + route, then by the index of the version.
	rows     []*[cardinality.IndexCount]*Cell
	versions cardinality.Set
}

// key names a cell. Cohort and Route are places in the workload's lists; the place after the last is [label.Other].
type key struct {
	cohort, route int
	version       string
}

// New returns an empty ledger.
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
	return &Results{origin: o, cells: map[key]*Cell{}, Lag: newLatencies()}
}

// Add counts what became of an attempt. It keeps nothing of the outcome.
func (l *Results) Add(o *loadgen.Outcome) {
	if o.Status == 0 && o.Failure == loadgen.FailureStopped {
		l.Stopped++
		return
	}
	c := l.cellOf(int(o.Arrival.Cohort), int(o.Arrival.Route), o.Version)
	c.Attempts++
	c.Bytes += o.BytesIn
	l.Lag.add(o.Sent - o.Intended)
	l.last = max(l.last, o.Done())
	if o.Final {
		c.add(o, l.origin.routes[o.Arrival.Route].Slow)
	}
}

// cellOf finds the cell of an outcome, or makes it.
func (l *Results) cellOf(cohort, route int, version string) *Cell {
	if l.rows == nil {
		l.rows = make([]*[cardinality.IndexCount]*Cell, len(l.origin.cohorts)*len(l.origin.routes))
	}
	place := cohort*len(l.origin.routes) + route
	row := l.rows[place]
	if row == nil {
		row = new([cardinality.IndexCount]*Cell)
		l.rows[place] = row
	}
	i := l.versions.Index(version)
	if row[i] == nil {
		row[i] = l.cell(key{cohort, route, l.versions.Name(i)})
	}
	return row[i]
}

// cell finds the cell of a key, or makes it; where there are too many it is the one for all others.
func (l *Results) cell(k key) *Cell {
	if c := l.cells[k]; c != nil {
		return c
	}
	if len(l.cells) >= maxCells {
		k = key{len(l.origin.cohorts), len(l.origin.routes), cardinality.Other}
		if c := l.cells[k]; c != nil {
			return c
		}
	}
	c := newCell()
	c.Cohort, c.Route, c.Version = l.origin.cohort(k.cohort), l.origin.route(k.route), k.version
	l.cells[k] = c
	return c
}

// Cells yields the cells with attempts, ordered by cohort and route, as the workload has them, and version. They must not be
// changed.
func (l *Results) Cells() iter.Seq[*Cell] {
	return func(yield func(*Cell) bool) {
		for _, k := range l.keys() {
			if !yield(l.cells[k]) {
				return
			}
		}
	}
}

// keys are in order.
func (l *Results) keys() []key {
	keys := make([]key, 0, len(l.cells))
	for k := range l.cells {
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

// Sum adds the cells for which keep holds; a nil keep takes all. The sum has no Cohort, Route and Version.
func (l *Results) Sum(keep func(*Cell) bool) *Cell {
	sum := newCell()
	for c := range l.Cells() {
		if keep == nil || keep(c) {
			sum.merge(c)
		}
	}
	return sum
}

// Elapsed is how long the run took.
func (l *Results) Elapsed() time.Duration {
	if l.Run.Elapsed > 0 {
		return l.Run.Elapsed
	}
	return l.last
}
