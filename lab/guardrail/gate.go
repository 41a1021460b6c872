package guardrail

import (
	"errors"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

// GateHost is the only host that a webhook may call: the lab's own gate server.
const GateHost = "gate.coalmine"

// LabPrometheus is the address of the lab's Prometheus, as Flagger and MetricTemplates name it.
const LabPrometheus = "http://prometheus.linkerd-viz:9090"

// GateCall is a call of a gate, as the URL of a webhook asks for it.
type GateCall struct {
	// Gate is one of the Gate constants.
	Gate string
	// Min is the number of requests that the canary must have answered. Gates volume and cohort.
	Min int
	// Cohort names the users that gate cohort looks at.
	Cohort string
	// MaxError is the share of failed requests that gate cohort accepts, in percent.
	MaxError float64
	// Window is how far gate volume and cohort look back; zero means since the release.
	Window time.Duration
}

// ParseGate reads the URL of a gate webhook. Its error says what is wrong with it and what to write.
func ParseGate(raw string) (GateCall, error) { return GateCall{}, errors.New("not written yet") }

// IsLabPrometheus tells whether the address is the lab's Prometheus.
func IsLabPrometheus(address string) bool { return address == LabPrometheus }

// CanaryFor is the Canary whose target is the named Deployment, nil if there is none.
func (s *Set) CanaryFor(target string) *flaggerv1.Canary {
	for _, o := range s.Objects {
		if c, ok := o.Value.(*flaggerv1.Canary); ok && c.Spec.TargetRef.Name == target {
			return c
		}
	}
	return nil
}
