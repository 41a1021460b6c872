package sim

import (
	"fmt"
	"strings"

	"coalmine/lab/guardrail"
)

// hosts are the names under which one run serves the lab's hosts: runs side by side in a process share one host table.
type hosts struct{ prometheus, gate, alerts string }

func hostsOf(run int64) hosts {
	return hosts{
		prometheus: fmt.Sprintf("prometheus-%d.coalmine", run),
		gate:       fmt.Sprintf("gate-%d.coalmine", run),
		alerts:     fmt.Sprintf("alerts-%d.coalmine", run),
	}
}

// public turns the run's own host names in a text back to those that the learner wrote, which are the same in every run.
func (h hosts) public(text string) string {
	return strings.NewReplacer(
		h.prometheus, strings.TrimPrefix(guardrail.LabPrometheus, "http://"),
		h.gate, guardrail.GateHost,
		h.alerts, "alerts.coalmine",
	).Replace(text)
}
