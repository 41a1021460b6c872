package agent

import (
	"time"

	"coalmine/lab/cluster/gate"
	"coalmine/lab/event"
)

// recentTraffic remembers the answers of the last while, for gates: those that any shard has told, for gates cannot wait for the slowest.
type recentTraffic struct{ list []recentSecond }

// recentSecond is what a shard told of a second.
type recentSecond struct {
	to    time.Time
	cells []event.Cell
}

// recentWindow is how long answers are kept: over the longest window that a gate looks back on.
const recentWindow = 10 * time.Minute

func (r *recentTraffic) add(now, to time.Time, cells []event.Cell) {
	for len(r.list) > 0 && now.Sub(r.list[0].to) > recentWindow {
		r.list = r.list[1:]
	}
	r.list = append(r.list, recentSecond{to, cells})
}

// count adds up what a workload answered after a time, to one cohort or ("") to all. Of answers with a status from 400 on, which an
// operator would call failed, those are known that users call bad for it: 403, 429, and from 500 on.
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
