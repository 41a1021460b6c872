// Package v1alpha1 defines the file format of scenarios and workloads: the wire types of apiVersion
// coalmine.dev/v1alpha1 and their strict decoding. It checks the shape only; package scenario
// converts a document to a scenario or a workload and validates it.
//
// A field whose yaml tag has no omitempty is required, also in the published schemas
// (scenarios/schema.json and scenarios/workload.schema.json). Comments of types and fields are the
// descriptions in those schemas.
package v1alpha1

import (
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Every document starts with the APIVersion and one of the kinds.
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
	// Name is a DNS label; a scenario's name is that of its folder.
	Name string `yaml:"name"`
}

// Spec describes the incident.
type Spec struct {
	Title string `yaml:"title"`
	// Summary is one sentence, shown in lists.
	Summary string `yaml:"summary"`
	// Topic groups scenarios in lists.
	Topic string `yaml:"topic"`
	// Level is the difficulty, 1 (for beginners) to 3.
	Level int `yaml:"level"`
	// Teaches lists what a learner takes away.
	Teaches []string `yaml:"teaches,omitempty"`

	Services []Service `yaml:"services"`
	Clients  []Client  `yaml:"clients"`
	Release  Release   `yaml:"release"`
	// Traffic is the workload that users generate.
	Traffic    loadgen.Workload    `yaml:"traffic"`
	Objectives []service.Objective `yaml:"objectives"`
	// Environment holds manifests that the platform team has applied to the cluster, as YAML
	// documents.
	Environment string `yaml:"environment,omitempty"`
	// ColdProxies lets the clients' proxies get to know a canary as those of production do: up to a
	// minute after its pods are ready. Default is true; with false the sim's proxies know every
	// Service.
	ColdProxies *bool `yaml:"coldProxies,omitempty"`
	// Mesh says what becomes of the mesh itself during a run.
	Mesh *Mesh `yaml:"mesh,omitempty"`
	// Drain evicts pods during a run.
	Drain  *Drain `yaml:"drain,omitempty"`
	Timing Timing `yaml:"timing"`
	Rubric Rubric `yaml:"rubric"`
	// Vary lists parameters that check runs draw by their seed.
	Vary []Vary `yaml:"vary,omitempty"`
}

// Mesh says what becomes of the mesh during a run. Only the sim plays it.
type Mesh struct {
	// CertificateLife is for how long a proxy's certificate is valid; default is 24h.
	CertificateLife time.Duration `yaml:"certificateLife,omitempty"`
	// IdentityDownAfter is when the service that issues certificates goes away, from the start of
	// the run's traffic on: proxies get no certificates from then on, and new pods do not start.
	IdentityDownAfter time.Duration `yaml:"identityDownAfter,omitempty"`
}

// Drain evicts the pods of the released service one after another, as an upgrade of nodes does. Only
// the sim plays it.
type Drain struct {
	// After is the time from the release to the first eviction.
	After time.Duration `yaml:"after"`
	// Every is the time between two evictions.
	Every time.Duration `yaml:"every"`
}

// Service is one of the demo services.
type Service struct {
	// Name of the Deployment and the Service.
	Name string `yaml:"name"`
	// Port of the Service.
	Port int `yaml:"port"`
	// TargetPort of the container; default is the port.
	TargetPort int `yaml:"targetPort,omitempty"`
	// Replicas of the Deployment.
	Replicas int `yaml:"replicas"`
	// Probe is the path of the readiness probe on the target port, /readyz or /healthz, so that
	// policy can turn probes away and their answers are in the proxy's series. Without it pods are
	// probed on a port that the mesh does not see.
	Probe string `yaml:"probe,omitempty"`
	// ServiceAccount of the pods; default is the service's name.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Labels of the pods, in addition to app.
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
	// ServiceAccount of the pods of this version; default is the service's.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Labels of the pods of this version; they override the service's.
	Labels map[string]string `yaml:"labels,omitempty"`
	// Annotations of the pods of this version; they override the service's.
	Annotations map[string]string `yaml:"annotations,omitempty"`
	// Manifests are applied together with the version, as YAML documents.
	Manifests string `yaml:"manifests,omitempty"`
	// IssuerLife is for how long the issuer of the mesh's certificates is valid that comes with the
	// version, from the release on: certificates of the version's pods end with it, and none is issued
	// later. Only the sim plays it.
	IssuerLife time.Duration `yaml:"issuerLife,omitempty"`
}

// Client is a workload that sends users' requests.
type Client struct {
	Name string `yaml:"name"`
	// ServiceAccount of the pods; default is the client's name.
	ServiceAccount string `yaml:"serviceAccount,omitempty"`
	// Replicas of the client; default is 1.
	Replicas int `yaml:"replicas,omitempty"`
	// Unmeshed clients have no proxy: they connect to the Service's own endpoints and have no
	// identity.
	Unmeshed bool `yaml:"unmeshed,omitempty"`
}

// Release is the change that the scenario is about.
type Release struct {
	// Service is the service that is released.
	Service string `yaml:"service"`
	// Faulty is the version that has to be stopped.
	Faulty string `yaml:"faulty"`
	// Healthy is the version that has to be promoted.
	Healthy string `yaml:"healthy"`
}

// Timing of a run.
type Timing struct {
	// Baseline is how long traffic runs before the release.
	Baseline time.Duration `yaml:"baseline"`
	// Horizon is how long the run continues after the release.
	Horizon time.Duration `yaml:"horizon"`
}

// Rubric says how a run is scored.
type Rubric struct {
	Items []RubricItem `yaml:"items"`
	// MaxHarm is the largest share of the unguarded harm that counts as a good catch, 0 to 1.
	MaxHarm float64 `yaml:"maxHarm"`
	// MinCanaryRequests is the number of requests below which a canary counts as starved.
	MinCanaryRequests int `yaml:"minCanaryRequests"`
	// MinEvidence is what the guardrails have to measure before a promotion counts as delivered.
	MinEvidence MinEvidence `yaml:"minEvidence,omitempty"`
	// Preconditions that the guardrails have to check: mtls, policy, rehearsal.
	Preconditions []string `yaml:"preconditions,omitempty"`
}

// MinEvidence is the least that the guardrails have to measure of a released version. 0 asks for
// nothing.
type MinEvidence struct {
	// Requests that the canary has to answer.
	Requests int `yaml:"requests,omitempty"`
	// Checks of metrics that have to have a value while the canary gets traffic.
	Checks int `yaml:"checks,omitempty"`
	// FailedChecks of metrics that a rollback needs to count as caught.
	FailedChecks int `yaml:"failedChecks,omitempty"`
	// Status of responses; only metrics that tell them from successful ones count as checks.
	Status int `yaml:"status,omitempty"`
}

// Vary is a parameter that check runs draw by their seed, from a range that does not change the
// lesson.
type Vary struct {
	// Parameter is one of fault-share, fault-users, fault-load, latency-factor, onset, cohort-share,
	// error-rate-factor and call-timeout-factor.
	Parameter string `yaml:"parameter"`
	// Target is the name of the fault, the cohort or the service that has the parameter.
	Target string `yaml:"target"`
	// Min is the least value: a share from 0 to 1, a factor, a number of requests (fault-load), or
	// seconds since the pod was ready (onset).
	Min float64 `yaml:"min"`
	// Max is the greatest value.
	Max float64 `yaml:"max"`
}

// RubricItem is one line of the score card.
type RubricItem struct {
	// ID names the check.
	ID string `yaml:"id"`
	// Title is shown on the card; default is the check's own title.
	Title string `yaml:"title,omitempty"`
	// Points that the item is worth.
	Points int `yaml:"points"`
	// Essential items are needed to pass: each of them in full, in every run.
	Essential bool `yaml:"essential,omitempty"`
	// Limit is the check's parameter, if it has one.
	Limit float64 `yaml:"limit,omitempty"`
	// Cohorts that the canary should get, all of them and no others (sample-ratio).
	Cohorts []string `yaml:"cohorts,omitempty"`
	// Hint says what to change when the item fails.
	Hint string `yaml:"hint,omitempty"`
}
