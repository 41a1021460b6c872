// Package scenario is the library of incidents, and the loader of their files.
//
// A scenario is data: services, versions and how they behave, traffic, release, objectives, rubric. The package knows how it
// is written down, not how it is played.
package scenario

import (
	"cmp"
	"slices"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// Namespace is where the services of every scenario live.
const Namespace = "develop"

// Scenario is one incident, in the one internal form that every wire version is decoded into.
type Scenario struct {
	Name  string
	Title string
	// Summary is one sentence; Topic groups scenarios in a list; Level is 1 (first lesson) to 3.
	Summary string
	Topic   string
	Level   int
	// Teaches lists what a learner takes away.
	Teaches []string

	Services []Service
	Clients  []Client
	Release  Release
	// Traffic is the workload that users bring.
	Traffic    loadgen.Workload
	Objectives []service.Objective
	// Source is the text of the file that the scenario was read from, for those who read it elsewhere anew.
	Source []byte
	// Log is the file of the access log that the traffic replays, as it is; nil for none, and for a log that nobody has read.
	Log []byte
	// Broken counts the log's lines that could not be read.
	Broken accesslog.Broken
	// Environment holds manifests that the platform team put into the cluster (policies, config maps), as YAML documents.
	Environment string
	Timing      Timing
	Rubric      Rubric
}

// Service is one of the demo services.
type Service struct {
	Name string
	// Port of the Service, TargetPort of the container.
	Port, TargetPort int
	Replicas         int
	// ServiceAccount of the pods; default the service's name.
	ServiceAccount string
	// Labels and Annotations of the pods, beside app: NAME.
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
	// Manifests are applied together with the version, as YAML documents (a chart's policies, for example).
	Manifests string
}

// Client is a workload outside the services that sends users' requests: its proxy does the routing.
type Client struct {
	Name           string
	ServiceAccount string
	Replicas       int
	// Unmeshed clients have no proxy: they reach the Service's own endpoints and have no identity.
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
	// Baseline is how long traffic runs before the release, Horizon how long the run goes on after it, whatever happens.
	Baseline, Horizon time.Duration
}

// Rubric says what the score counts. Points are given by the items.
type Rubric struct {
	Items []RubricItem
	// MaxHarm is the share of the harm without guardrail that still counts as a good catch, 0 to 1.
	MaxHarm float64
	// MinCanaryRequests is the number of requests below which a canary counts as starved.
	MinCanaryRequests int
	// Preconditions that the scenario asks for: "mtls", "policy", "rehearsal".
	Preconditions []string
}

// RubricItem is one line of the score card.
type RubricItem struct {
	// ID names the check: see package score for those that exist.
	ID     string
	Title  string
	Points int
	// Limit is the check's parameter, where it has one (a share, a number of seconds).
	Limit float64
	// Hint says what to change when the item is lost.
	Hint string
}

// Roles of a version in its scenario.
const (
	RoleFaulty  = "faulty"
	RoleHealthy = "healthy"
)

// Service returns the service of a name, nil when there is none.
func (s *Scenario) Service(name string) *Service {
	for i := range s.Services {
		if s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

// Released returns the service that the scenario releases, nil when the scenario is not valid.
func (s *Scenario) Released() *Service { return s.Service(s.Release.Service) }

// Role says what a version of the released service is in the scenario: [RoleFaulty], [RoleHealthy], or "" for another.
func (s *Scenario) Role(version string) string {
	switch version {
	case s.Release.Faulty:
		return RoleFaulty
	case s.Release.Healthy:
		return RoleHealthy
	}
	return ""
}

// Callers names who sends requests to a service: clients whose users' routes lead to it, and services that call it. They are
// in the order of the scenario.
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
		if s.Traffic.Replay != nil && service == s.Services[0].Name { // paths that are on no route
			return true
		}
	}
	return false
}

// mayRequest tells whether a cohort may ask for a route. What a log asks for is not looked up.
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
