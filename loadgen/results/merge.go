package results

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Merge adds the accounts of parts of one plan. The order does not matter, and what was merged can be merged again. Elapsed is
// that of the longest part, for parts are to run side by side. Errors name the documents: they are of another workload, plan or
// seed, they have a shard in common, or, unless incomplete, shards are missing.
func Merge(documents []Document, incomplete bool) (*Results, error) {
	if len(documents) == 0 {
		return nil, errors.New("nothing to merge: name the documents of all shards")
	}
	first := documents[0]
	owner := map[int]string{}
	for _, d := range documents {
		if err := mergeable(first, d); err != nil {
			return nil, err
		}
		for _, i := range d.Results.origin.shards.have {
			if other, twice := owner[i]; twice {
				return nil, fmt.Errorf("%s and %s: both have shard %d/%d", other, d.Name, i, d.Results.origin.shards.of)
			}
			owner[i] = d.Name
		}
	}
	o := first.Results.origin
	o.digest, o.plan = first.Results.Digest(), nil
	o.shards.have = nil
	for i := range owner {
		o.shards.have = append(o.shards.have, i)
	}
	slices.Sort(o.shards.have)
	if !o.shards.complete() && !incomplete {
		return nil, fmt.Errorf("%s missing among %d documents: merge all of them, or say that it is incomplete",
			missing(o.shards), len(documents))
	}
	sum := newResults(o)
	for _, d := range documents {
		if err := sum.merge(d.Results); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	if all := sum.Sum(nil); max(sum.Lag.sum, all.Latency.sum, all.Attempts, all.Bytes, sum.Stopped, sum.Run.Unsent) > maxCount {
		return nil, errors.New("the documents add up to counts over 2^53, which no run has")
	}
	return sum, nil
}

// mergeable tells what two documents do not have in common.
func mergeable(a, b Document) error {
	x, y := &a.Results.origin, &b.Results.origin
	differ := func(what string, of, other any) error {
		return fmt.Errorf("%s and %s: are of different %s (%v and %v)", a.Name, b.Name, what, of, other)
	}
	switch {
	case x.workload != y.workload:
		return differ("workloads", x.workload, y.workload)
	case x.seed != y.seed:
		return differ("seeds", x.seed, y.seed)
	case x.duration != y.duration:
		return differ("durations", x.duration, y.duration)
	case x.shards.of != y.shards.of:
		return differ("numbers of shards", x.shards.of, y.shards.of)
	case !slices.Equal(x.cohorts, y.cohorts) || !slices.Equal(x.routes, y.routes):
		return fmt.Errorf("%s and %s: have other cohorts, routes or limits of slowness", a.Name, b.Name)
	case a.Results.Digest() != b.Results.Digest():
		return differ("plans", short(x.digest), short(y.digest))
	}
	return nil
}

// short is enough of a digest to tell it from another.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// missing names the shards that are, the first of many.
func missing(s shardSet) string {
	const most = 5
	var names []string
	for i := 1; i <= s.of; i++ {
		if _, have := slices.BinarySearch(s.have, i); have {
			continue
		}
		if len(names) == most {
			return fmt.Sprintf("shards %s and %d more are", strings.Join(names, ", "), s.of-len(s.have)-most)
		}
		names = append(names, fmt.Sprintf("%d/%d", i, s.of))
	}
	if len(names) == 1 {
		return "shard " + names[0] + " is"
	}
	return "shards " + strings.Join(names, ", ") + " are"
}

// merge adds the counts of another ledger of the same origin.
func (l *Results) merge(o *Results) error {
	if b := o.Run.Start; !b.IsZero() && (l.Run.Start.IsZero() || b.Before(l.Run.Start)) {
		l.Run.Start = b
	}
	l.Run.Elapsed = max(l.Run.Elapsed, o.Elapsed())
	l.Run.Unsent = addSaturated(l.Run.Unsent, o.Run.Unsent)
	l.Stopped = addSaturated(l.Stopped, o.Stopped)
	l.Lag.merge(&o.Lag)
	for _, k := range o.keys() {
		c := l.cells[k]
		if c == nil && len(l.cells) > maxCells {
			return fmt.Errorf("over %d combinations of cohort, route and version in all", maxCells)
		}
		if c == nil {
			c = newCell()
			c.Cohort, c.Route, c.Version = l.origin.cohort(k.cohort), l.origin.route(k.route), k.version
			l.cells[k] = c
		}
		c.merge(o.cells[k])
	}
	return nil
}
