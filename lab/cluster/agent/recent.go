package agent

import (
	"time"

	"coalmine/lab/cluster/gate"
	"coalmine/lab/event"
)

// recentTraffic keeps the last minutes of traffic for gates, as far as any traffic pod has reported
// it: gates cannot wait for the slowest.
type recentTraffic struct{ list []recentSecond }

// recentSecond is one second of a traffic pod.
type recentSecond struct {
	to    time.Time
	cells []event.Cell
}

// recentWindow is longer than the longest window of a gate.
const recentWindow = 10 * time.Minute

func (r *recentTraffic) add(now, to time.Time, cells []event.Cell) {
	for len(r.list) > 0 && now.Sub(r.list[0].to) > recentWindow {
		r.list = r.list[1:]
	}
	r.list = append(r.list, recentSecond{to, cells})
}

// count returns the requests that a workload answered after a time, for one cohort or, with "", for
// all. Failed are those with a status that users regard as bad: 403, 429, and 500 or more.
func (r *recentTraffic) count(workload, cohort string, after time.Time) gate.Count {
	var n gate.Count
	for _, t := range r.list {
		if !t.to.After(after) {
			continue
		}
		for _, c := range t.cells {
			if c.Workload == workload && (cohort == "" || cohort == c.Cohort) {
				n.Requests += c.N
				n.Failed += c.Errors + c.Denied + c.Limited
			}
		}
	}
	return n
}
