package sim

import (
	"fmt"
	"regexp"
	"strings"

	"coalmine/lab/guardrail"
)

// hostnames are the names under which a run serves the lab's hosts. They are unique, since all runs
// in a process share one [network.Network].
type hostnames struct {
	prometheus, alerts string
	run                int64
}

func newHostnames(run int64) hostnames {
	return hostnames{
		prometheus: fmt.Sprintf("prometheus-%d.coalmine", run),
		alerts:     fmt.Sprintf("alerts-%d.coalmine", run),
		run:        run,
	}
}

// gate returns the host for one webhook of a canary. It identifies the webhook that called.
func (h hostnames) gate(canary string, webhook int) string {
	return fmt.Sprintf("%s-%d-gate-%d.coalmine", canary, webhook, h.run)
}

var gateHostPattern = regexp.MustCompile(`[a-z0-9-]+-gate-\d+\.coalmine`)

// canonical replaces the run's own host names in a text by those that users write, which are the
// same in every run.
func (h hostnames) canonical(text string) string {
	text = strings.ReplaceAll(text, h.prometheus, strings.TrimPrefix(guardrail.LabPrometheus, "http://"))
	text = strings.ReplaceAll(text, h.alerts, "alerts.coalmine")
	return gateHostPattern.ReplaceAllString(text, guardrail.GateHost)
}
