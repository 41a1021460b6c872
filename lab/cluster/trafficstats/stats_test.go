package trafficstats_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
)

const slowness = 250 * time.Millisecond

func config() trafficstats.Config {
	return trafficstats.Config{
		Cohorts: []string{"regular", "premium"}, Routes: []string{"home", "pay", "feed"},
		LatencyObjective: func(route string) time.Duration {
			if route == "feed" {
				return 0
			}
			return slowness
		},
	}
}

// request is an attempt with its response.
type request struct {
	trafficstats.Response
	workload, version string
	attempt           int
}

func requests() *rapid.Generator[[]request] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) request {
		r := request{attempt: rapid.IntRange(0, 2).Draw(t, "attempt")}
		by := rapid.SampledFrom([][2]string{{}, {"backend", "v1"}, {"backend", "v2"},
			{"backend-primary", "v1"}}).Draw(t, "by")
		r.workload, r.version = by[0], by[1]
		r.Latency = time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond
		r.Cohort = uint16(rapid.IntRange(0, 1).Draw(t, "cohort"))
		r.User = uint32(r.Cohort)<<30 + rapid.Uint32Range(0, 40).Draw(t, "user") // users are of one cohort
		r.Route = uint16(rapid.IntRange(0, 2).Draw(t, "route"))
		r.Status = rapid.SampledFrom([]int{0, 200, 404, 403, 429, 500, 503}).Draw(t, "status")
		r.Wrong, r.Hit = rapid.Bool().Draw(t, "wrong"), rapid.Bool().Draw(t, "hit")
		r.ByMesh = rapid.Bool().Draw(t, "mesh")
		r.Retried = rapid.Bool().Draw(t, "retried")
		return r
	}), 1, 300)
}

// cellOf returns the cell of one response, as defined by [event.Cell].
func cellOf(r request) event.Cell {
	c := config()
	cell := event.Cell{Cohort: c.Cohorts[r.Cohort], Route: c.Routes[r.Route], Workload: r.workload, Version: r.version}
	if r.Retried {
		cell.Retried = 1
		return cell
	}
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	cell.N = 1
	cell.Errors, cell.Denied, cell.Limited = one(r.Status >= 500 || r.Status == 0), one(r.Status == 403),
		one(r.Status == 429)
	cell.Slow, cell.Wrong = one(cell.Route != "feed" && r.Latency > slowness), one(r.Wrong)
	cell.Bad = one(r.ByMesh || cell.Errors+cell.Denied+cell.Limited+cell.Slow+cell.Wrong > 0)
	cell.Hit = one(r.Hit)
	cell.Harm = cell.Hit * cell.Bad
	cell.ByMesh = one(r.ByMesh && !r.Hit)
	cell.Latency = []event.BucketCount{{Bucket: event.LatencyBucket(r.Latency), Count: 1}}
	return cell
}

// add adds a cell to the sums by cohort, route, workload and version.
func add(sums map[[4]string]event.Cell, c event.Cell) {
	key := [4]string{c.Cohort, c.Route, c.Workload, c.Version}
	s := sums[key]
	s.Cohort, s.Route, s.Workload, s.Version = c.Cohort, c.Route, c.Workload, c.Version
	s.N, s.Retried, s.Errors, s.Denied, s.Limited = s.N+c.N, s.Retried+c.Retried, s.Errors+c.Errors, s.Denied+c.Denied,
		s.Limited+c.Limited
	s.Slow, s.Wrong, s.Bad, s.Hit, s.Harm = s.Slow+c.Slow, s.Wrong+c.Wrong, s.Bad+c.Bad, s.Hit+c.Hit, s.Harm+c.Harm
	s.ByMesh += c.ByMesh
	for _, b := range c.Latency {
		at, found := slices.BinarySearchFunc(s.Latency, b.Bucket, func(x event.BucketCount, to int) int {
			return x.Bucket - to
		})
		if !found {
			s.Latency = slices.Insert(s.Latency, at, event.BucketCount{Bucket: b.Bucket})
		}
		s.Latency[at].Count += b.Count
	}
	sums[key] = s
}

// sorted returns the sums in the order of a log.
func sorted(sums map[[4]string]event.Cell) []event.Cell {
	list := make([]event.Cell, 0, len(sums))
	for _, key := range slices.SortedFunc(maps.Keys(sums), func(a, b [4]string) int {
		return slices.Compare(a[:], b[:])
	}) {
		list = append(list, sums[key])
	}
	return list
}

// Cells and totals are compared with counts in maps.
func TestCellsAndTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := requests().Draw(t, "requests")
		released, cut := rapid.IntRange(0, len(list)).Draw(t, "released"), rapid.IntRange(0, len(list)).Draw(t, "cut")
		stats, want := trafficstats.New(config()), event.TrafficTotals{}
		users, hurt, assigned := map[string]bool{}, map[string]bool{}, map[string]bool{}
		sums := map[[4]string]event.Cell{}
		for i, r := range list {
			if i == released {
				stats.MarkRollout()
			}
			if i == cut {
				check(t, stats.Cells(), sums)
				clear(sums)
			}
			cell := cellOf(r)
			add(sums, cell)
			stats.AddRequest(r.Cohort, r.User, r.attempt)
			r.WorkloadID = stats.WorkloadID(r.workload, r.version)
			if bad := stats.AddResponse(&r.Response); bad != (cell.Bad == 1) {
				t.Fatalf("bad is %v for %+v", bad, cell)
			}
			who := fmt.Sprint(cell.Cohort, r.User)
			want.Answered += cell.N
			if r.attempt > 0 {
				want.Retries++
			} else {
				want.Planned++
				users[who] = true
			}
			if cell.Harm+cell.ByMesh > 0 {
				hurt[who] = true
			}
			if stats.Hurt() != len(hurt) {
				t.Fatalf("%d users were hurt so far, want %d", stats.Hurt(), len(hurt))
			}
			if i >= released && cell.N > 0 && cell.Workload != "" {
				assigned[who+" "+cell.Workload] = true
			}
		}
		check(t, stats.Cells(), sums)
		got := stats.Totals()
		if got.Planned != want.Planned || got.Answered != want.Answered || got.Retries != want.Retries ||
			got.Open != want.Planned-want.Answered || got.Open != stats.Open() {
			t.Fatalf("totals %+v, want %+v", got, want)
		}
		if cohortUsers(got.Users) != len(users) || cohortUsers(got.Hurt) != len(hurt) ||
			cohortUsers(got.Assigned["regular"])+cohortUsers(got.Assigned["premium"]) != len(assigned) {
			t.Fatalf("totals %+v, want %d users, %d hurt, %d assigned", got, len(users), len(hurt), len(assigned))
		}
	})
}

func check(t *rapid.T, got []event.Cell, sums map[[4]string]event.Cell) {
	if diff := cmp.Diff(sorted(sums), got); diff != "" {
		t.Fatalf("cells: %s", diff)
	}
}

func cohortUsers(by map[string]int) int {
	n := 0
	for _, count := range by {
		n += count
	}
	return n
}

// Real servers can report any workload.
func TestWorkloadLimit(t *testing.T) {
	stats := trafficstats.New(config())
	stats.MarkRollout()
	for i := range 1000 {
		stats.AddRequest(0, 7, 0)
		stats.AddResponse(&trafficstats.Response{User: 7, Status: 200,
			WorkloadID: stats.WorkloadID(fmt.Sprint("workload-", i), "v1")})
	}
	cells, n := stats.Cells(), 0
	for _, c := range cells {
		n += c.N
	}
	if at := slices.IndexFunc(cells, func(c event.Cell) bool {
		return c.Workload == trafficstats.OtherWorkloads
	}); len(cells) != 100 || n != 1000 || at < 0 || cells[at].N != 901 {
		t.Errorf("%d cells with %d requests", len(cells), n)
	}
	if got := len(stats.Totals().Assigned["regular"]); got != 14 {
		t.Errorf("a user was assigned to %d workloads", got)
	}
}

func BenchmarkAddResponse(b *testing.B) {
	for name, spread := range map[string]uint32{"dense": 1, "sparse": 0x9e3779b1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			stats := trafficstats.New(config())
			stats.MarkRollout()
			a := trafficstats.Response{Status: 200, WorkloadID: stats.WorkloadID("backend", "v1"),
				Latency: 10 * time.Millisecond}
			for i := uint32(0); b.Loop(); i++ {
				a.User = i % 20_000 * spread
				stats.AddRequest(0, a.User, 0)
				stats.AddResponse(&a)
			}
		})
	}
}
