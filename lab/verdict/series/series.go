// Package series returns the traffic of a run over time: rates, shares, latencies and harm for a
// selection of users, routes and servers, together with the bounds of the guardrails' metrics and
// the moments to mark.
//
// It keeps a bounded number of buckets however long a run lasts: when they are full, it merges
// pairs of them. So a chart of an hour costs no more than one of a minute.
package series

import (
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// Side is what served a request.
type Side int

// Sides of a rollout.
const (
	// All also counts requests that never reached the released service.
	All Side = iota
	// Canary is the released version's canary, Primary everything else of the released service that
	// answered.
	Canary
	Primary
)

func (s Side) String() string {
	switch s {
	case Canary:
		return "canary"
	case Primary:
		return "primary"
	}
	return "all"
}

// Selection keeps some of the traffic; "" keeps every cohort, route or version.
type Selection struct {
	Cohort, Route, Version string
	Side                   Side
}

// Width of the first buckets, and how many there may be before pairs of them become one. Seconds of
// traffic fill them.
const (
	// The width of the first buckets, and the number of buckets from which pairs of them are
	// merged.
	minBucketWidth = time.Second
	maxBuckets     = 2048
)

// Series is the traffic of one run so far.
type Series struct {
	run     event.RunStarted
	width   time.Duration
	buckets []bucket // bucket i starts at i·width
	keys    map[timeline.Key]int
	order   []timeline.Key // by id
	lastIDs []int          // ids by position in the last second
}

// bucket is the traffic of the seconds that began in it.
type bucket struct {
	// to ends the last of its seconds; seq is that second's event. Both are 0 without traffic.
	to    time.Duration
	seq   int
	cells []cell
}

// cell is the part of one key in a bucket. It shares the event's latencies, which it never writes,
// until another second comes into the same bucket.
type cell struct {
	key int
	timeline.Counts
	shared []event.BucketCount
	own    []event.BucketCount // by bucket; replaces shared
}

// New returns a series for the events of one run.
func New() *Series { return &Series{width: minBucketWidth, keys: map[timeline.Key]int{}} }

// Of returns the traffic of a timeline. It does not follow what is folded into the timeline later.
func Of(t *timeline.Timeline) *Series {
	s := New()
	s.run = t.Run
	for m, f := range t.Seconds() {
		s.fold(m.Seq, f)
	}
	return s
}

// Fold takes the next event of the log. Like a timeline's Fold it must not be given events after
// the run's end.
func (s *Series) Fold(e event.Event) {
	switch f := e.Fact.(type) {
	case event.RunStarted:
		s.run = f
	case event.Traffic:
		s.fold(e.Seq, f)
	}
}

// End is when the last second of traffic ended.
func (s *Series) End() time.Duration {
	if n := len(s.buckets); n > 0 {
		return s.buckets[n-1].to
	}
	return 0
}

func (s *Series) fold(seq int, f event.Traffic) {
	i := int(time.Duration(f.From) / s.width)
	for i >= maxBuckets {
		s.mergePairs()
		i = int(time.Duration(f.From) / s.width)
	}
	for len(s.buckets) <= i {
		s.buckets = append(s.buckets, bucket{})
	}
	b := &s.buckets[i]
	b.to, b.seq = max(b.to, time.Duration(f.To)), max(b.seq, seq)
	for j := range f.Cells {
		c := &f.Cells[j]
		b.add(cell{key: s.id(j, c), Counts: timeline.CountsOf(*c), shared: c.Latency})
	}
}

// id numbers the keys. Cells come in the same order each second, so it first tries the key at the
// same position of the last second.
func (s *Series) id(position int, c *event.Cell) int {
	k := timeline.KeyOf(*c)
	if position < len(s.lastIDs) && s.order[s.lastIDs[position]] == k {
		return s.lastIDs[position]
	}
	id, ok := s.keys[k]
	if !ok {
		id = len(s.order)
		s.keys[k], s.order = id, append(s.order, k)
	}
	for len(s.lastIDs) <= position {
		s.lastIDs = append(s.lastIDs, id)
	}
	s.lastIDs[position] = id
	return id
}

// mergePairs merges each pair of buckets.
func (s *Series) mergePairs() {
	s.width *= 2
	merged := make([]bucket, 0, maxBuckets)
	for i, b := range s.buckets {
		if i%2 == 0 {
			merged = append(merged, b)
			continue
		}
		to := &merged[i/2]
		to.to, to.seq = max(to.to, b.to), max(to.seq, b.seq)
		for _, c := range b.cells {
			to.add(c)
		}
	}
	s.buckets = merged
}

func (b *bucket) add(c cell) {
	i := slices.IndexFunc(b.cells, func(o cell) bool { return o.key == c.key })
	if i < 0 {
		b.cells = append(b.cells, c)
		return
	}
	to := &b.cells[i]
	to.Counts = to.Plus(c.Counts)
	to.merge(to.shared)
	to.merge(c.shared)
	to.merge(c.own)
	to.shared = nil
}

// merge adds a histogram to the cell's own.
func (c *cell) merge(h []event.BucketCount) {
	for _, l := range h {
		for len(c.own) <= l.Bucket {
			c.own = append(c.own, event.BucketCount{Bucket: len(c.own)})
		}
		c.own[l.Bucket].Count += l.Count
	}
}

func (c *cell) latency() []event.BucketCount {
	if c.own != nil {
		return c.own
	}
	return c.shared
}
