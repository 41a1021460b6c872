package agent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
)

// merger adds up the seconds of shards. Users are of one shard each, so every sum is exact.
type merger struct {
	seconds map[time.Duration]*second // by begin
	// hurt counts users so far, by shard, up to the last second that was handed out.
	hurt []int
}

// second is one second as far as it is told.
type second struct {
	from, to time.Duration
	cells    map[cellKey]*event.Cell
	hurt     map[int]int // by shard
}

type cellKey struct{ cohort, route, workload, version string }

func newMerger(shards int) *merger {
	return &merger{seconds: map[time.Duration]*second{}, hurt: make([]int, shards)}
}

// add takes a second of a shard.
func (m *merger) add(shard int, t event.Traffic) {
	from := time.Duration(t.From)
	s := m.seconds[from]
	if s == nil {
		s = &second{from: from, cells: map[cellKey]*event.Cell{}, hurt: map[int]int{}}
		m.seconds[from] = s
	}
	s.to = max(s.to, time.Duration(t.To))
	s.hurt[shard] = t.HurtSoFar
	for _, c := range t.Cells {
		key := cellKey{c.Cohort, c.Route, c.Workload, c.Version}
		if sum := s.cells[key]; sum != nil {
			addCell(sum, c)
			continue
		}
		c.Latency = slices.Clone(c.Latency)
		s.cells[key] = &c
	}
}

// addCell adds counts of the same kind.
func addCell(sum *event.Cell, c event.Cell) {
	sum.N += c.N
	sum.Retried += c.Retried
	sum.Errors += c.Errors
	sum.Denied += c.Denied
	sum.Limited += c.Limited
	sum.Slow += c.Slow
	sum.Wrong += c.Wrong
	sum.Bad += c.Bad
	sum.Hit += c.Hit
	sum.Harm += c.Harm
	sum.Latency = addLatency(sum.Latency, c.Latency)
}

// addLatency adds sparse histograms, whose buckets ascend.
func addLatency(a, b []event.BucketCount) []event.BucketCount {
	sums := make(map[int]int, len(a)+len(b))
	for _, list := range [][]event.BucketCount{a, b} {
		for _, x := range list {
			sums[x.Bucket] += x.Count
		}
	}
	var list []event.BucketCount
	for _, bucket := range slices.Sorted(maps.Keys(sums)) {
		list = append(list, event.BucketCount{Bucket: bucket, Count: sums[bucket]})
	}
	return list
}

// pop hands out the seconds that have begun a second or more before a time, in their order.
func (m *merger) pop(through time.Duration) []event.Traffic {
	var list []event.Traffic
	for _, from := range slices.Sorted(maps.Keys(m.seconds)) {
		if from+time.Second > through {
			break
		}
		list = append(list, m.sum(m.seconds[from]))
		delete(m.seconds, from)
	}
	return list
}

// sum is a second that every shard has told.
func (m *merger) sum(s *second) event.Traffic {
	t := event.Traffic{From: event.Seconds(s.from), To: event.Seconds(s.to)}
	for shard, n := range s.hurt {
		m.hurt[shard] = n
	}
	for _, n := range m.hurt {
		t.HurtSoFar += n
	}
	for _, c := range s.cells {
		t.Cells = append(t.Cells, *c)
	}
	slices.SortFunc(t.Cells, func(a, b event.Cell) int {
		return cmp.Or(cmp.Compare(a.Cohort, b.Cohort), cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Version, b.Version))
	})
	return t
}

// addTotals adds the totals of a shard.
func addTotals(sum *event.TrafficTotals, t event.TrafficTotals) {
	sum.Planned += t.Planned
	sum.Answered += t.Answered
	sum.Open += t.Open
	sum.Retries += t.Retries
	addCounts(&sum.Users, t.Users)
	addCounts(&sum.Hurt, t.Hurt)
	for cohort, by := range t.Assigned {
		if sum.Assigned == nil {
			sum.Assigned = map[string]map[string]int{}
		}
		counts := sum.Assigned[cohort]
		addCounts(&counts, by)
		sum.Assigned[cohort] = counts
	}
}

func addCounts(sum *map[string]int, counts map[string]int) {
	if *sum == nil {
		*sum = map[string]int{}
	}
	for name, n := range counts {
		(*sum)[name] += n
	}
}
