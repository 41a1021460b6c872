package scenarios

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

	"coalmine/lab/slo"
)

// Bounds of a scenario. They are far above what a lesson needs and keep a run's cost within minutes.
const (
	maxServices = 20
	maxClients  = 20
	maxReplicas = 50
	maxLevel    = 3
	maxBaseline = time.Hour
	maxHorizon  = 4 * time.Hour
)

// routeOther is the route that a plan adds for paths of a log that are on no other.
const routeOther = "other"

// preconditions that a rubric may ask for.
var preconditions = [...]string{"mtls", "policy", "rehearsal"}

// check collects what is wrong with a scenario.
type check struct {
	scenario *Scenario
	found    []found
}

type found struct {
	at      field
	message string
}

func (c *check) add(at field, format string, args ...any) {
	c.found = append(c.found, found{at, fmt.Sprintf(format, args...)})
}

// addAll takes the findings of another package's Validate: joined errors, each beginning with the path of its field.
func (c *check) addAll(at field, err error) {
	if err == nil {
		return
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			c.addAll(at, e)
		}
		return
	}
	if below, message, found := strings.Cut(err.Error(), ": "); found {
		c.add(at.at(parseField(below)...), "%s", message)
		return
	}
	c.add(at, "%v", err)
}

// problemsOf checks everything that can be known without playing the scenario.
func problemsOf(s *Scenario) []found {
	c := &check{scenario: s}
	c.identity()
	c.services()
	c.calls()
	c.clients()
	c.release()
	c.traffic()
	c.objectives()
	c.documents(field{"environment"}, s.Environment)
	c.timing()
	c.rubric()
	return c.found
}

func (c *check) identity() {
	s := c.scenario
	c.label(field{"name"}, s.Name)
	c.text(field{"title"}, s.Title)
	c.text(field{"summary"}, s.Summary)
	c.text(field{"topic"}, s.Topic)
	if s.Level < 1 || s.Level > maxLevel {
		c.add(field{"level"}, "is %d: write 1 (first lesson) to %d", s.Level, maxLevel)
	}
}

func (c *check) services() {
	s := c.scenario
	if n := len(s.Services); n < 1 || n > maxServices {
		c.add(field{"services"}, "there are %d services: write 1 to %d", n, maxServices)
	}
	for i, svc := range s.Services {
		at := field{"services", i}
		c.label(at.at("name"), svc.Name)
		if s.Service(svc.Name) != &s.Services[i] {
			c.add(at.at("name"), "%q is taken by an earlier service: names are unique", svc.Name)
		}
		c.port(at.at("port"), svc.Port)
		c.port(at.at("targetPort"), svc.TargetPort)
		c.replicas(at.at("replicas"), svc.Replicas)
		c.known(at.at("baseline"), "version", svc.Baseline, keys(svc.Versions))
		c.versions(at.at("versions"), svc)
	}
}

func (c *check) versions(at field, svc Service) {
	if len(svc.Versions) == 0 {
		c.add(at, "there is no version: write at least the baseline")
	}
	routes := c.routes()
	cohorts := c.cohorts()
	for _, name := range keys(svc.Versions) {
		v, at := svc.Versions[name], at.at(name)
		c.label(at, name)
		c.addAll(at.at("behaviour"), v.Behaviour.Validate())
		c.documents(at.at("manifests"), v.Manifests)
		for _, route := range keys(v.Behaviour.Routes) {
			if route != "" {
				c.known(at.at("behaviour", "routes", route), "route", route, routes)
			}
		}
		for i, f := range v.Behaviour.Faults {
			at := at.at("behaviour", "faults", i, "when")
			c.knownAll(at.at("routes"), "route", f.When.Routes, routes)
			c.knownAll(at.at("cohorts"), "cohort", f.When.Cohorts, cohorts)
		}
	}
}

func (c *check) clients() {
	s := c.scenario
	if n := len(s.Clients); n < 1 || n > maxClients {
		c.add(field{"clients"}, "there are %d clients: write 1 to %d, someone has to send the traffic", n, maxClients)
	}
	seen := map[string]bool{}
	for i, client := range s.Clients {
		at := field{"clients", i}
		c.label(at.at("name"), client.Name)
		if seen[client.Name] || s.Service(client.Name) != nil {
			c.add(at.at("name"), "%q is taken by a service or an earlier client: names are unique", client.Name)
		}
		seen[client.Name] = true
		c.replicas(at.at("replicas"), client.Replicas)
	}
}

func (c *check) release() {
	r := c.scenario.Release
	c.known(field{"release", "service"}, "service", r.Service, c.serviceNames())
	svc := c.scenario.Released()
	if svc == nil {
		return
	}
	for _, v := range []struct{ role, name string }{{RoleFaulty, r.Faulty}, {RoleHealthy, r.Healthy}} {
		at := field{"release", v.role}
		c.known(at, "version", v.name, keys(svc.Versions))
		if v.name == svc.Baseline {
			c.add(at, "%q runs already before the release: write another version", v.name)
		}
	}
	if r.Faulty == r.Healthy {
		c.add(field{"release", "healthy"}, "%q is the faulty version too: write another version", r.Healthy)
	}
}

func (c *check) traffic() {
	w := c.scenario.Traffic
	c.addAll(field{"traffic"}, w.Validate())
	var clients []string
	for _, client := range c.scenario.Clients {
		clients = append(clients, client.Name)
	}
	for i, r := range w.Routes {
		if r.Service != "" {
			c.known(field{"traffic", "routes", i, "service"}, "service", r.Service, c.serviceNames())
		}
	}
	for i, cohort := range w.Cohorts {
		if cohort.Client != "" {
			c.known(field{"traffic", "cohorts", i, "client"}, "client", cohort.Client, clients)
		}
	}
}

func (c *check) objectives() {
	if len(c.scenario.Objectives) == 0 {
		c.add(field{"objectives"}, "there is no objective: without one no answer counts as bad")
	}
	c.eachObjective()
}

func (c *check) eachObjective() {
	os := c.scenario.Objectives
	for i, o := range os {
		at := field{"objectives", i}
		if o.Route != "" && !(o.Route == routeOther && c.scenario.Traffic.Replay != nil) {
			c.known(at.at("route"), "route", o.Route, c.routes())
		}
		if slices.ContainsFunc(os[:i], func(earlier slo.Objective) bool { return earlier.Route == o.Route }) {
			c.add(at.at("route"), "route %q has an earlier objective: write one for each route", o.Route)
		}
		if !(o.Success > 0 && o.Success <= 100) {
			c.add(at.at("success"), "is %v: write a share in percent, over 0 and up to 100", o.Success)
		}
		if o.Latency < 0 {
			c.add(at.at("latency"), "is %v: write a time over 0, or leave it out", o.Latency)
		}
	}
}

func (c *check) timing() {
	t := c.scenario.Timing
	if t.Baseline <= 0 || t.Baseline > maxBaseline {
		c.add(field{"timing", "baseline"}, "is %v: write a time over 0 and up to %v", t.Baseline, maxBaseline)
	}
	if t.Horizon <= 0 || t.Horizon > maxHorizon {
		c.add(field{"timing", "horizon"}, "is %v: write a time over 0 and up to %v", t.Horizon, maxHorizon)
	}
}

func (c *check) rubric() {
	r := c.scenario.Rubric
	if len(r.Items) == 0 {
		c.add(field{"rubric", "items"}, "there is no item: write what the score counts")
	}
	seen := map[string]bool{}
	for i, item := range r.Items {
		at := field{"rubric", "items", i}
		c.text(at.at("id"), item.ID)
		if seen[item.ID] {
			c.add(at.at("id"), "%q is taken by an earlier item: IDs are unique", item.ID)
		}
		seen[item.ID] = true
		if item.Points <= 0 {
			c.add(at.at("points"), "is %d: write a number over 0", item.Points)
		}
	}
	if !(r.MaxHarm >= 0 && r.MaxHarm <= 1) {
		c.add(field{"rubric", "maxHarm"}, "is %v: write a share from 0 to 1", r.MaxHarm)
	}
	if r.MinCanaryRequests < 0 {
		c.add(field{"rubric", "minCanaryRequests"}, "is %d: write 0 or more", r.MinCanaryRequests)
	}
	c.knownAll(field{"rubric", "preconditions"}, "precondition", r.Preconditions, preconditions[:])
}

// documents checks that a text holds Kubernetes manifests, as far as that can be seen without knowing the kinds.
func (c *check) documents(at field, text string) {
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
			c.add(at, "document %d has no apiVersion or no kind: write a Kubernetes manifest", i)
		}
	}
}

func (c *check) routes() []string {
	var names []string
	for _, r := range c.scenario.Traffic.Routes {
		names = append(names, r.Name)
	}
	return names
}

func (c *check) cohorts() []string {
	var names []string
	for _, cohort := range c.scenario.Traffic.Cohorts {
		names = append(names, cohort.Name)
	}
	return names
}

func (c *check) serviceNames() []string {
	var names []string
	for _, s := range c.scenario.Services {
		names = append(names, s.Name)
	}
	return names
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
