package v1alpha1

import (
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Workload is traffic by itself: what a scenario has under traffic, to be played against any server.
type Workload struct {
	// APIVersion is coalmine.dev/v1alpha1.
	APIVersion string `yaml:"apiVersion"`
	// Kind is Workload.
	Kind     string       `yaml:"kind"`
	Metadata Metadata     `yaml:"metadata"`
	Spec     WorkloadSpec `yaml:"spec"`
}

// WorkloadSpec says who asks for what, and how often.
type WorkloadSpec struct {
	// Summary is one sentence for lists.
	Summary string `yaml:"summary,omitempty"`

	loadgen.Workload `yaml:",inline"`

	// Objectives say what users may expect of the routes.
	Objectives []service.Objective `yaml:"objectives,omitempty"`
}
