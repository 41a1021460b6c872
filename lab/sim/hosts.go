package sim

import (
	"fmt"
	"regexp"
	"strings"

	"coalmine/lab/guardrail"
)

// hosts are the names under which one run serves the lab's hosts: runs side by side in a process share one host table.
type hosts struct {
	prometheus, alerts string
	run                int64
}

func hostsOf(run int64) hosts {
	return hosts{
		prometheus: fmt.Sprintf("prometheus-%d.coalmine", run),
		alerts:     fmt.Sprintf("alerts-%d.coalmine", run),
		run:        run,
	}
}

// gate is the gates' host for one webhook of a canary: what calls tells which webhook it was.
func (h hosts) gate(canary string, webhook int) string {
	return fmt.Sprintf("%s-%d-gate-%d.coalmine", canary, webhook, h.run)
}

var gateHost = regexp.MustCompile(`[a-z0-9-]+-gate-\d+\.coalmine`)

// public turns the run's own host names in a text back to those that the learner wrote, which are the same in every run.
func (h hosts) public(text string) string {
	text = strings.ReplaceAll(text, h.prometheus, strings.TrimPrefix(guardrail.LabPrometheus, "http://"))
	text = strings.ReplaceAll(text, h.alerts, "alerts.coalmine")
	return gateHost.ReplaceAllString(text, guardrail.GateHost)
}
