package results

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Merge adds the results of shards of one plan. The order does not matter, and merged results can
// be merged again. Elapsed is that of the longest shard, because shards run concurrently. Errors
// name the documents that have another workload, plan or seed, or a shard in common; unless
// incomplete is set, missing shards are an error too.
func Merge(documents []Document, incomplete bool) (*Results, error) {
	if len(documents) == 0 {
		return nil, errors.New("nothing to merge: name the result files of all shards")
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
		return nil, fmt.Errorf("%s missing: add them, or merge with --incomplete", missing(o.shards))
	}
	sum := newResults(o)
	for _, d := range documents {
		if err := sum.merge(d.Results); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	if all := sum.Sum(nil); max(sum.Lag.sum, all.Latency.sum, all.Attempts, all.Bytes, sum.Stopped,
		sum.Run.Unsent) > maxCount {
		return nil, errors.New("the sum of the counts exceeds 2^53")
	}
	return sum, nil
}

// mergeable returns the first difference that keeps two documents from being merged.
func mergeable(a, b Document) error {
	x, y := &a.Results.origin, &b.Results.origin
	differ := func(what string, of, other any) error {
		return fmt.Errorf("%s and %s: have different %s (%v and %v)", a.Name, b.Name, what, of, other)
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
		return fmt.Errorf("%s and %s: have different cohorts, routes or latency limits", a.Name, b.Name)
	case a.Results.Digest() != b.Results.Digest():
		return differ("plans", short(x.digest), short(y.digest))
	}
	return nil
}

// short abbreviates a digest.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// missing lists the missing shards, at most a few of them.
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

// merge adds the counts of other results of the same plan.
func (r *Results) merge(o *Results) error {
	if b := o.Run.Start; !b.IsZero() && (r.Run.Start.IsZero() || b.Before(r.Run.Start)) {
		r.Run.Start = b
	}
	r.Run.Elapsed = max(r.Run.Elapsed, o.Elapsed())
	r.Run.Unsent = addSaturated(r.Run.Unsent, o.Run.Unsent)
	r.Stopped = addSaturated(r.Stopped, o.Stopped)
	r.Run.Workers = addSaturated(r.Run.Workers, o.Run.Workers)
	r.Run.Peak = addSaturated(r.Run.Peak, o.Run.Peak)
	r.Run.Saturated = r.Run.Saturated || o.Run.Saturated
	for why, n := range o.NotSent {
		r.NotSent[why] = addSaturated(r.NotSent[why], n)
	}
	for _, text := range slices.Sorted(maps.Keys(o.Errors)) {
		r.noteError(text, o.Errors[text])
	}
	r.Lag.merge(&o.Lag)
	for _, k := range o.keys() {
		c := r.cells[k]
		if c == nil && len(r.cells) > maxCells {
			return fmt.Errorf("more than %d combinations of cohort, route and version in total", maxCells)
		}
		if c == nil {
			c = newCell()
			c.Cohort, c.Route, c.Version = r.origin.cohort(k.cohort), r.origin.route(k.route), k.version
			r.cells[k] = c
		}
		c.merge(o.cells[k])
	}
	return nil
}
