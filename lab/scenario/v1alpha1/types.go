// Package v1alpha1 is how a scenario or a workload is written down: the wire types of apiVersion coalmine.dev/v1alpha1 and
// their strict decoding. It knows no meaning beyond the shape; package scenarios turns a document into a scenario or a workload
// and checks it.
//
// A field whose yaml tag has no omitempty is required, in the published schemas too (see scenarios/schema.json and
// scenarios/workload.schema.json).
package v1alpha1

import (
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
)

// APIVersion opens every document, and one of the kinds.
const (
	APIVersion   = "coalmine.dev/v1alpha1"
	Kind         = "Scenario"
	KindWorkload = "Workload"
)

// Scenario is one incident as data.
type Scenario struct {
	// APIVersion is coalmine.dev/v1alpha1.
	APIVersion string `yaml:"apiVersion"`
	// Kind is Scenario.
	Kind     string   `yaml:"kind"`
	Metadata Metadata `yaml:"metadata"`
	Spec     Spec     `yaml:"spec"`
}

// Metadata names a document.
type Metadata struct {
	// Name is a DNS label; a scenario's is the name of its folder.
	Name string `yaml:"name"`
}

// Spec says what the incident consists of.
type Spec struct {
	Title string `yaml:"title"`
	// Summary is one sentence for lists.
	Summary string `yaml:"summary"`
	// Topic groups scenarios in lists.
	Topic string `yaml:"topic"`
	// Level is 1 (first lesson) to 3.
	Level int `yaml:"level"`
	// Teaches lists what a learner takes away.
	Teaches []string `yaml:"teaches,omitempty"`

	Services []Service `yaml:"services"`
	Clients  []Client  `yaml:"clients"`
	Release  Release   `yaml:"release"`
	// Traffic is the workload that users bring.
	Traffic    loadgen.Workload    `yaml:"traffic"`
	Objectives []service.Objective `yaml:"objectives"`
	// Environment holds manifests that the platform team put into the cluster, as YAML documents.
	Environment string `yaml:"environment,omitempty"`
	Timing      Timing `yaml:"timing"`
	Rubric      Rubric `yaml:"rubric"`
}

// Service is one of the demo services.
type Service struct {
	// Name of the Deployment and the Service.
	Name string `yaml:"name"`
	// Port of the Service.
	Port int `yaml:"port"`
	// TargetPort of the container; default the port.
	TargetPort int `yaml:"targetPort,omitempty"`
	// Replicas of the Deployment.
	Replicas int `yaml:"replicas"`
	// ServiceAccount of the pods; default the service's name.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Labels of the pods, beside app.
	Labels map[string]string `yaml:"labels,omitempty"`
	// Annotations of the pods.
	Annotations map[string]string `yaml:"annotations,omitempty"`
	// Baseline is the version that runs before the release.
	Baseline string `yaml:"baseline"`
	// Versions by name.
	Versions map[string]Version `yaml:"versions"`
}

// Version is one version of a service.
type Version struct {
	// Notes say what changed, for people.
	Notes string `yaml:"notes,omitempty"`
	// Behaviour is how this version works and fails.
	Behaviour service.Behaviour `yaml:"behaviour"`
	// ServiceAccount of the pods of this version; default the service's.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Labels of the pods of this version, over the service's.
	Labels map[string]string `yaml:"labels,omitempty"`
	// Annotations of the pods of this version, over the service's.
	Annotations map[string]string `yaml:"annotations,omitempty"`
	// Manifests are applied together with the version, as YAML documents.
	Manifests string `yaml:"manifests,omitempty"`
}

// Client is a workload that sends users' requests.
type Client struct {
	Name string `yaml:"name"`
	// ServiceAccount of the pods; default the client's name.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Replicas of the client; default 1.
	Replicas int `yaml:"replicas,omitempty"`
	// Unmeshed clients have no proxy: they reach the Service's own endpoints and have no identity.
	Unmeshed bool `yaml:"unmeshed,omitempty"`
}

// Release is the change that the scenario is about.
type Release struct {
	// Service is the one that is released.
	Service string `yaml:"service"`
	// Faulty is the version that must not reach everyone.
	Faulty string `yaml:"faulty"`
	// Healthy is the version that must.
	Healthy string `yaml:"healthy"`
}

// Timing of a run.
type Timing struct {
	// Baseline is how long traffic runs before the release.
	Baseline time.Duration `yaml:"baseline"`
	// Horizon is how long the run goes on after the release.
	Horizon time.Duration `yaml:"horizon"`
}

// Rubric says what the score counts.
type Rubric struct {
	Items []RubricItem `yaml:"items"`
	// MaxHarm is the share of the harm without guardrail that still counts as a good catch, 0 to 1.
	MaxHarm float64 `yaml:"maxHarm"`
	// MinCanaryRequests is the number of requests below which a canary counts as starved.
	MinCanaryRequests int `yaml:"minCanaryRequests"`
	// Preconditions that the guardrails have to check: mtls, policy, rehearsal.
	Preconditions []string `yaml:"preconditions,omitempty"`
}

// RubricItem is one line of the score card.
type RubricItem struct {
	// ID names the check.
	ID string `yaml:"id"`
	// Title stands on the card; default the check's own.
	Title string `yaml:"title,omitempty"`
	// Points that the item gives.
	Points int `yaml:"points"`
	// Limit is the check's parameter, where it has one.
	Limit float64 `yaml:"limit,omitempty"`
	// Hint says what to change when the item is lost.
	Hint string `yaml:"hint,omitempty"`
}
