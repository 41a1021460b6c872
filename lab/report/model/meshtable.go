package model

import (
	"fmt"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/verdict/score"
)

// MeshColumns are the heads of the table of [MeshTable]: the first three columns are names.
func MeshColumns() []string {
	return []string{"Since", "Weight", "Workload", "Attempts", "Sent again", "Timed out", "Ejected", "Limited",
		"Denied"}
}

// maxMeshRows limits the table.
const maxMeshRows = 16

// MeshTable says what retries, timeouts, circuit breaking, limits and policy did, step by step. It is
// empty if they did nothing. Attempts are what pods got; those that were sent again were sent by the
// client's proxy or by the process of another service.
func MeshTable(r score.Row) [][]string {
	var rows [][]string
	for _, m := range r.Mesh {
		if len(rows) == maxMeshRows {
			rows = append(rows, []string{"", "", fmt.Sprintf("%d more in JSON", len(r.Mesh)-maxMeshRows),
				"", "", "", "", "", ""})
			break
		}
		name := m.Workload
		switch {
		case name == "":
			name = m.Service + ", no pod"
		case m.Version != "":
			name += " " + m.Version
		}
		again := format.Number(m.Retried + m.Repeated)
		if n := m.Requests(); n > 0 && m.Retried+m.Repeated > 0 {
			again = fmt.Sprintf("%s (×%.2f)", again, float64(m.Attempts)/float64(n))
		}
		ejected := format.Number(m.Ejected)
		if m.ByProxies {
			ejected = format.Missing
		}
		rows = append(rows, []string{format.OptionalClock(&m.From), fmt.Sprintf("%d %%", m.Weight), name,
			format.Number(m.Attempts), again, format.Number(m.TimedOut + m.GivenUp), ejected,
			format.Number(m.Limited), format.Number(m.Denied)})
	}
	return rows
}

// MeshText says what the table shows.
func MeshText(r score.Row) string {
	if slices.ContainsFunc(r.Mesh, func(m score.MeshRow) bool { return m.ByProxies }) {
		return "what retries, timeouts, limits and policy did, as proxies count it: circuit breaking and what " +
			"applications send again are not counted; × is attempts per request"
	}
	return "what retries, timeouts, circuit breaking, limits and policy did; × is attempts per request"
}
