package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/service"
)

// Limits of a scenario. They are far above what an exercise needs and keep a run within minutes.
const (
	maxServices = 20
	maxClients  = 20
	maxReplicas = 50
	maxLevel    = 3
	maxBaseline = time.Hour
	maxHorizon  = 4 * time.Hour
)

// routeOther is the route that a plan adds for paths of a log that have no other route.
const routeOther = "other"

// preconditions that a rubric may require.
var preconditions = [...]string{"mtls", "policy", "rehearsal"}

// validator collects findings about a scenario.
type validator struct {
	scenario *Scenario
	findings []finding
}

type finding struct {
	path    fieldPath
	message string
}

func (c *validator) add(at fieldPath, format string, args ...any) {
	c.findings = append(c.findings, finding{at, fmt.Sprintf(format, args...)})
}

// addJoined adds the findings of another package's Validate: joined errors, each of which starts
// with the path of its field.
func (c *validator) addJoined(at fieldPath, err error) {
	if err == nil {
		return
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			c.addJoined(at, e)
		}
		return
	}
	if below, message, found := strings.Cut(err.Error(), ": "); found {
		c.add(at.child(parseField(below)...), "%s", message)
		return
	}
	c.add(at, "%v", err)
}

// validate checks everything that can be checked without running the scenario.
func validate(s *Scenario) []finding {
	c := &validator{scenario: s}
	c.identity()
	c.services()
	c.calls()
	c.clients()
	c.release()
	c.traffic()
	c.objectives()
	c.documents(fieldPath{"environment"}, s.Environment)
	c.timing()
	c.rubric()
	return c.findings
}

func (c *validator) identity() {
	s := c.scenario
	c.label(fieldPath{"name"}, s.Name)
	c.text(fieldPath{"title"}, s.Title)
	c.text(fieldPath{"summary"}, s.Summary)
	c.text(fieldPath{"topic"}, s.Topic)
	if s.Level < 1 || s.Level > maxLevel {
		c.add(fieldPath{"level"}, "is %d: write 1 (for beginners) to %d", s.Level, maxLevel)
	}
}

func (c *validator) services() {
	s := c.scenario
	if n := len(s.Services); n < 1 || n > maxServices {
		c.add(fieldPath{"services"}, "there are %d services: write 1 to %d", n, maxServices)
	}
	for i, svc := range s.Services {
		at := fieldPath{"services", i}
		c.label(at.child("name"), svc.Name)
		if s.Service(svc.Name) != &s.Services[i] {
			c.add(at.child("name"), "%q is already used by an earlier service: names must be unique", svc.Name)
		}
		c.port(at.child("port"), svc.Port)
		c.port(at.child("targetPort"), svc.TargetPort)
		c.replicas(at.child("replicas"), svc.Replicas)
		c.known(at.child("baseline"), "version", svc.Baseline, keys(svc.Versions))
		c.versions(at.child("versions"), svc)
	}
}

func (c *validator) versions(at fieldPath, svc Service) {
	if len(svc.Versions) == 0 {
		c.add(at, "there are no versions: write at least the baseline")
	}
	routes := c.routes()
	cohorts := c.cohorts()
	for _, name := range keys(svc.Versions) {
		v, at := svc.Versions[name], at.child(name)
		c.label(at, name)
		c.addJoined(at.child("behaviour"), v.Behaviour.Validate())
		c.documents(at.child("manifests"), v.Manifests)
		for _, route := range keys(v.Behaviour.Routes) {
			if route != "" {
				c.known(at.child("behaviour", "routes", route), "route", route, routes)
			}
		}
		for i, f := range v.Behaviour.Faults {
			at := at.child("behaviour", "faults", i, "when")
			c.knownAll(at.child("routes"), "route", f.When.Routes, routes)
			c.knownAll(at.child("cohorts"), "cohort", f.When.Cohorts, cohorts)
		}
	}
}

func (c *validator) clients() {
	s := c.scenario
	if n := len(s.Clients); n < 1 || n > maxClients {
		c.add(fieldPath{"clients"}, "there are %d clients: write 1 to %d, which send the traffic", n, maxClients)
	}
	seen := map[string]bool{}
	for i, client := range s.Clients {
		at := fieldPath{"clients", i}
		c.label(at.child("name"), client.Name)
		if seen[client.Name] || s.Service(client.Name) != nil {
			c.add(at.child("name"), "%q is already used by a service or an earlier client: names must be unique", client.Name)
		}
		seen[client.Name] = true
		c.replicas(at.child("replicas"), client.Replicas)
	}
}

func (c *validator) release() {
	r := c.scenario.Release
	c.known(fieldPath{"release", "service"}, "service", r.Service, c.serviceNames())
	svc := c.scenario.Released()
	if svc == nil {
		return
	}
	for _, v := range []struct{ role, name string }{{RoleFaulty, r.Faulty}, {RoleHealthy, r.Healthy}} {
		at := fieldPath{"release", v.role}
		c.known(at, "version", v.name, keys(svc.Versions))
		if v.name == svc.Baseline {
			c.add(at, "%q already runs before the release: write another version", v.name)
		}
	}
	if r.Faulty == r.Healthy {
		c.add(fieldPath{"release", "healthy"}, "%q is also the faulty version: write another version", r.Healthy)
	}
}

func (c *validator) traffic() {
	w := c.scenario.Traffic
	c.addJoined(fieldPath{"traffic"}, w.Validate())
	var clients []string
	for _, client := range c.scenario.Clients {
		clients = append(clients, client.Name)
	}
	for i, r := range w.Routes {
		if r.Service != "" {
			c.known(fieldPath{"traffic", "routes", i, "service"}, "service", r.Service, c.serviceNames())
		}
	}
	for i, cohort := range w.Cohorts {
		if cohort.Client != "" {
			c.known(fieldPath{"traffic", "cohorts", i, "client"}, "client", cohort.Client, clients)
		}
	}
}

func (c *validator) objectives() {
	if len(c.scenario.Objectives) == 0 {
		c.add(fieldPath{"objectives"}, "there is no objective: without one, no answer counts as bad")
	}
	c.eachObjective()
}

func (c *validator) eachObjective() {
	os := c.scenario.Objectives
	for i, o := range os {
		at := fieldPath{"objectives", i}
		if o.Route != "" && !(o.Route == routeOther && c.scenario.Traffic.Replay != nil) {
			c.known(at.child("route"), "route", o.Route, c.routes())
		}
		if slices.ContainsFunc(os[:i], func(earlier service.Objective) bool { return earlier.Route == o.Route }) {
			c.add(at.child("route"), "route %q already has an objective: write one for each route", o.Route)
		}
		if !(o.Success > 0 && o.Success <= 100) {
			c.add(at.child("success"), "is %v: write a percentage above 0 and up to 100", o.Success)
		}
		if o.Latency < 0 {
			c.add(at.child("latency"), "is %v: write a duration above 0, or omit the field", o.Latency)
		}
	}
}

func (c *validator) timing() {
	t := c.scenario.Timing
	if t.Baseline <= 0 || t.Baseline > maxBaseline {
		c.add(fieldPath{"timing", "baseline"}, "is %v: write a duration above 0 and up to %v", t.Baseline, maxBaseline)
	}
	if t.Horizon <= 0 || t.Horizon > maxHorizon {
		c.add(fieldPath{"timing", "horizon"}, "is %v: write a duration above 0 and up to %v", t.Horizon, maxHorizon)
	}
}

func (c *validator) rubric() {
	r := c.scenario.Rubric
	if len(r.Items) == 0 {
		c.add(fieldPath{"rubric", "items"}, "there are no items: write at least one")
	}
	seen := map[string]bool{}
	for i, item := range r.Items {
		at := fieldPath{"rubric", "items", i}
		c.text(at.child("id"), item.ID)
		if seen[item.ID] {
			c.add(at.child("id"), "%q is already used by an earlier item: IDs must be unique", item.ID)
		}
		seen[item.ID] = true
		if item.Points <= 0 {
			c.add(at.child("points"), "is %d: write a number above 0", item.Points)
		}
	}
	if !(r.MaxHarm >= 0 && r.MaxHarm <= 1) {
		c.add(fieldPath{"rubric", "maxHarm"}, "is %v: write a share from 0 to 1", r.MaxHarm)
	}
	if r.MinCanaryRequests < 0 {
		c.add(fieldPath{"rubric", "minCanaryRequests"}, "is %d: write 0 or more", r.MinCanaryRequests)
	}
	c.knownAll(fieldPath{"rubric", "preconditions"}, "precondition", r.Preconditions, preconditions[:])
}

// documents checks that a text holds Kubernetes manifests, of whatever kinds.
func (c *validator) documents(at fieldPath, text string) {
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	for i := 1; ; i++ {
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
		}
		err := decoder.Decode(&head)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.add(at, "document %d: %s", i, strings.TrimPrefix(err.Error(), "yaml: "))
			return
		}
		if head.APIVersion == "" || head.Kind == "" {
			c.add(at, "document %d lacks apiVersion or kind: write a Kubernetes manifest", i)
		}
	}
}

func (c *validator) routes() []string {
	var names []string
	for _, r := range c.scenario.Traffic.Routes {
		names = append(names, r.Name)
	}
	return names
}

func (c *validator) cohorts() []string {
	var names []string
	for _, cohort := range c.scenario.Traffic.Cohorts {
		names = append(names, cohort.Name)
	}
	return names
}

func (c *validator) serviceNames() []string {
	var names []string
	for _, s := range c.scenario.Services {
		names = append(names, s.Name)
	}
	return names
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
