// Package scenario loads scenarios and workloads from their files and validates them.
//
// A scenario is an incident as data: services, versions and their behaviour, traffic, release,
// objectives, rubric. The library that comes with the binary is in package scenarios at the root of
// the module.
package scenario

import (
	"cmp"
	"slices"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// Namespace is the Kubernetes namespace of the services of every scenario.
const Namespace = "develop"

// Scenario is one incident, in the internal form that every version of the file format is converted
// to.
type Scenario struct {
	Name  string
	Title string
	// Summary is one sentence.
	Summary string
	// Topic groups scenarios in a list.
	Topic string
	// Level is the difficulty, 1 (for beginners) to 3.
	Level int
	// Teaches lists what a learner takes away.
	Teaches []string

	Services []Service
	Clients  []Client
	Release  Release
	// Traffic is the workload that users generate.
	Traffic    loadgen.Workload
	Objectives []service.Objective
	// Source is the text of the file that the scenario was read from.
	Source []byte
	// Log is the contents of the access log that the traffic replays; nil if there is none or it
	// has not been read.
	Log []byte
	// Broken counts the log's lines that could not be parsed.
	Broken accesslog.Broken
	// Environment holds manifests that the platform team has applied to the cluster (policies,
	// config maps), as YAML documents.
	Environment string
	// ColdProxies lets the sim's proxies get to know a canary as those of production do: up to a
	// minute after its pods are ready.
	ColdProxies bool
	// Mesh says what becomes of the mesh; nil is nothing.
	Mesh *Mesh
	// Drain evicts pods during a run; nil evicts none.
	Drain  *Drain
	Timing Timing
	Rubric Rubric
	// Vary lists the parameters that [Scenario.Draw] draws; Drawn has their values by name, and is
	// nil in a scenario that was not drawn.
	Vary  []Vary
	Drawn map[string]float64
}

// Mesh says what becomes of the mesh during a run in the sim. Times are from the start of the run's
// traffic on; 0 is the default, or never.
type Mesh struct{ CertificateLife, IdentityDownAfter time.Duration }

// Drain evicts the pods of the released service one after another, as an upgrade of nodes does: the
// first After the release, and one more Every so often. The sim alone plays it.
type Drain struct{ After, Every time.Duration }

// Service is one of the demo services.
type Service struct {
	Name string
	// Port of the Service, TargetPort of the container.
	Port, TargetPort int
	Replicas         int
	// Probe is the path of the kubelet's readiness probe on TargetPort, which the pod's proxy sees.
	// Without it pods are probed on a port that the mesh does not see.
	Probe string
	// ServiceAccount of the pods; default is the service's name.
	ServiceAccount string
	// Labels and Annotations of the pods, in addition to app: NAME.
	Labels, Annotations map[string]string
	// Versions by name.
	Versions map[string]Version
	// Baseline is the version that runs before the release.
	Baseline string
}

// Version is one version of a service.
type Version struct {
	// Notes say what changed, for people.
	Notes     string
	Behaviour service.Behaviour
	// ServiceAccount, Labels and Annotations override the service's for the pods of this version.
	ServiceAccount      string
	Labels, Annotations map[string]string
	// Manifests are applied together with the version, as YAML documents (the policies of a chart,
	// for example).
	Manifests string
	// IssuerLife is for how long the issuer of the mesh's certificates is valid that comes with the
	// version, from the release on; 0 if none does. The sim alone plays it.
	IssuerLife time.Duration
}

// Client is a workload outside the services that sends users' requests. Its proxy routes them.
type Client struct {
	Name           string
	ServiceAccount string
	Replicas       int
	// Unmeshed clients have no proxy: they connect to the Service's own endpoints and have no
	// identity.
	Unmeshed bool
}

// Release is the change that the scenario is about.
type Release struct {
	Service string
	// Faulty and Healthy are versions of the service.
	Faulty, Healthy string
}

// Timing of a run.
type Timing struct {
	// Baseline is how long traffic runs before the release.
	Baseline time.Duration
	// Horizon is how long the run continues after the release, whatever happens.
	Horizon time.Duration
}

// Rubric says how a run is scored. Its items give the points.
type Rubric struct {
	Items []RubricItem
	// MaxHarm is the largest share of the unguarded harm that counts as a good catch, 0 to 1.
	MaxHarm float64
	// MinCanaryRequests is the number of requests below which a canary counts as starved.
	MinCanaryRequests int
	// MinEvidence is what the guardrails have to measure before a promotion counts as delivered.
	MinEvidence MinEvidence
	// Preconditions that the guardrails have to check: "mtls", "policy", "rehearsal".
	Preconditions []string
}

// MinEvidence is the least that the guardrails have to measure of a released version. The zero
// value asks for nothing.
type MinEvidence struct {
	// Requests that the canary has to answer.
	Requests int
	// Checks of metrics that have to have a value while the canary gets traffic.
	Checks int
	// FailedChecks of metrics that a rollback needs to count as caught: a gate may refuse a release,
	// but it does not measure it.
	FailedChecks int
	// Status is the status of the responses that the fault causes, 0 if it does not matter: only
	// metrics that tell them from successful ones count as Checks.
	Status int
}

// RubricItem is one line of the score card.
type RubricItem struct {
	// ID names the check; package score defines them.
	ID     string
	Title  string
	Points int
	// Essential items are needed to pass: each of them in full, in every run.
	Essential bool
	// Limit is the check's parameter, if it has one (a share, or a number of seconds).
	Limit float64
	// Cohorts that the canary should get, all of them and no others; empty for whichever it gets.
	Cohorts []string
	// Hint says what to change when the item fails.
	Hint string
}

// Roles of a version in its scenario.
const (
	RoleFaulty  = "faulty"
	RoleHealthy = "healthy"
)

// Service returns the service with a name, or nil if there is none.
func (s *Scenario) Service(name string) *Service {
	for i := range s.Services {
		if s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

// Released returns the service that the scenario releases, or nil if the scenario is invalid.
func (s *Scenario) Released() *Service { return s.Service(s.Release.Service) }

// Role returns the role of a version of the released service: [RoleFaulty], [RoleHealthy], or ""
// for any other version.
func (s *Scenario) Role(version string) string {
	switch version {
	case s.Release.Faulty:
		return RoleFaulty
	case s.Release.Healthy:
		return RoleHealthy
	}
	return ""
}

// Callers returns the names of the clients and services that send requests to a service, in the
// order of the scenario.
func (s *Scenario) Callers(service string) []string {
	var names []string
	for _, c := range s.Clients {
		if s.clientCalls(c.Name, service) {
			names = append(names, c.Name)
		}
	}
	for _, other := range s.Services {
		if other.calls(service) {
			names = append(names, other.Name)
		}
	}
	return names
}

func (s *Scenario) clientCalls(client, service string) bool {
	for _, cohort := range s.Traffic.Cohorts {
		if cmp.Or(cohort.Client, s.Clients[0].Name) != client {
			continue
		}
		for _, r := range s.Traffic.Routes {
			if cmp.Or(r.Service, s.Services[0].Name) == service && s.mayRequest(&cohort, r.Name) {
				return true
			}
		}
		if s.Traffic.Replay != nil && service == s.Services[0].Name { // paths without a route
			return true
		}
	}
	return false
}

// mayRequest reports whether a cohort can send requests to a route. For a replayed log, whose lines
// are not checked, it is always true.
func (s *Scenario) mayRequest(c *loadgen.Cohort, route string) bool {
	if s.Traffic.Replay != nil || c.Mix[route] > 0 || c.Zipf != nil && slices.Contains(c.Zipf.Routes, route) {
		return true
	}
	if c.Session == nil {
		return false
	}
	for _, next := range c.Session.Next {
		if next[route] > 0 {
			return true
		}
	}
	return c.Session.Start[route] > 0
}

func (s *Service) calls(service string) bool {
	for _, v := range s.Versions {
		for _, r := range v.Behaviour.Routes {
			if r.Calls == service {
				return true
			}
		}
	}
	return false
}
