package agent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
)

// merger adds up the seconds of the traffic pods. Every user belongs to one pod, so the sums are
// exact.
type merger struct {
	seconds map[time.Duration]*second // by start
	// hurt counts users so far, by traffic pod, up to the last second that was returned.
	hurt []int
}

// second is one second of traffic as far as it has been reported.
type second struct {
	from, to time.Duration
	cells    map[cellKey]*event.Cell
	hurt     map[int]int // by traffic pod
}

type cellKey struct{ cohort, route, workload, version string }

func newMerger(pods int) *merger {
	return &merger{seconds: map[time.Duration]*second{}, hurt: make([]int, pods)}
}

// add adds a traffic pod's second.
func (m *merger) add(pod int, t event.Traffic) {
	from := time.Duration(t.From)
	s := m.seconds[from]
	if s == nil {
		s = &second{from: from, cells: map[cellKey]*event.Cell{}, hurt: map[int]int{}}
		m.seconds[from] = s
	}
	s.to = max(s.to, time.Duration(t.To))
	s.hurt[pod] = t.HurtSoFar
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

// addCell adds the counts of c.
func addCell(sum *event.Cell, c event.Cell) {
	sum.N += c.N
	sum.Retried += c.Retried
	sum.ProxyRetried += c.ProxyRetried
	sum.Errors += c.Errors
	sum.Denied += c.Denied
	sum.Limited += c.Limited
	sum.Slow += c.Slow
	sum.Wrong += c.Wrong
	sum.Bad += c.Bad
	sum.Hit += c.Hit
	sum.Harm += c.Harm
	sum.ByMesh += c.ByMesh
	sum.Latency = addLatency(sum.Latency, c.Latency)
}

// addLatency adds sparse histograms with ascending buckets.
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

// pop returns, in order, the seconds that started at least one second before through.
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

// sum returns the total of a second that every traffic pod has reported.
func (m *merger) sum(s *second) event.Traffic {
	t := event.Traffic{From: event.Seconds(s.from), To: event.Seconds(s.to)}
	for pod, n := range s.hurt {
		m.hurt[pod] = n
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

// addTotals adds the totals of a traffic pod.
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
