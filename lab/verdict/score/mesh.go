package score

import (
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// MeshRow is what retries, timeouts, circuit breaking, limits and policy did to one workload's requests
// while the released version had one share of the traffic.
type MeshRow struct {
	// From is when that share began, Weight the share in percent.
	From   event.Seconds `json:"from"`
	Weight int           `json:"weight"`
	// ByProxies is set if nobody counted Ejected, Repeated and GivenUp.
	ByProxies bool `json:"byProxies,omitempty"`
	event.MeshEffect
}

// Requests is how many requests the attempts belong to, as far as they were counted. Attempts that no
// pod got are in a row without a workload.
func (m MeshRow) Requests() int { return max(0, m.Attempts-m.Retried-m.Repeated) }

// meshRows sums up the effects of the mesh since the release, by step and workload. Each belongs to the
// step in which the middle of its time was.
func meshRows(t *timeline.Timeline) []MeshRow {
	var rows []MeshRow
	for _, m := range t.Mesh {
		middle := (m.From + m.To) / 2
		if !t.Released.Happened() || middle < event.Seconds(t.Released.At) {
			continue
		}
		row := MeshRow{From: event.Seconds(t.Released.At), ByProxies: m.ByProxies}
		for i, s := range t.Steps {
			if event.Seconds(s.At) <= middle {
				row.From, row.Weight = event.Seconds(s.At), t.Exposure(i)
			}
		}
		for _, c := range m.Cells {
			rows = addEffect(rows, row, c)
		}
	}
	return slices.DeleteFunc(rows, func(r MeshRow) bool { return !r.Any() })
}

func addEffect(rows []MeshRow, row MeshRow, c event.MeshEffect) []MeshRow {
	for i := range rows {
		r := &rows[i]
		if r.From == row.From && r.Service == c.Service && r.Workload == c.Workload && r.Version == c.Version {
			r.MeshEffect = r.Plus(c)
			return rows
		}
	}
	row.MeshEffect = c
	return append(rows, row)
}
