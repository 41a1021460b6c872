package v1alpha1

import (
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Workload is traffic without a scenario: the contents of a scenario's traffic field, to be sent to
// any server.
type Workload struct {
	// APIVersion is coalmine.dev/v1alpha1.
	APIVersion string `yaml:"apiVersion"`
	// Kind is Workload.
	Kind     string       `yaml:"kind"`
	Metadata Metadata     `yaml:"metadata"`
	Spec     WorkloadSpec `yaml:"spec"`
}

// WorkloadSpec says who sends which requests, and how often.
type WorkloadSpec struct {
	// Summary is one sentence, shown in lists.
	Summary string `yaml:"summary,omitempty"`

	loadgen.Workload `yaml:",inline"`

	// Objectives say what users may expect of the routes.
	Objectives []service.Objective `yaml:"objectives,omitempty"`
}
