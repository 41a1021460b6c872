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

func (v *validator) add(at fieldPath, format string, args ...any) {
	v.findings = append(v.findings, finding{at, fmt.Sprintf(format, args...)})
}

// addJoined adds the findings of another package's Validate: joined errors, each of which starts
// with the path of its field.
func (v *validator) addJoined(at fieldPath, err error) {
	if err == nil {
		return
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			v.addJoined(at, e)
		}
		return
	}
	if below, message, found := strings.Cut(err.Error(), ": "); found {
		v.add(at.child(parseField(below)...), "%s", message)
		return
	}
	v.add(at, "%v", err)
}

// validate checks everything that can be checked without running the scenario.
func validate(s *Scenario) []finding {
	v := &validator{scenario: s}
	v.identity()
	v.services()
	v.calls()
	v.clients()
	v.release()
	v.traffic()
	v.objectives()
	v.documents(fieldPath{"environment"}, s.Environment)
	v.mesh()
	v.drain()
	v.timing()
	v.rubric()
	v.vary()
	return v.findings
}

func (v *validator) identity() {
	s := v.scenario
	v.label(fieldPath{"name"}, s.Name)
	v.text(fieldPath{"title"}, s.Title)
	v.text(fieldPath{"summary"}, s.Summary)
	v.text(fieldPath{"topic"}, s.Topic)
	if s.Level < 1 || s.Level > maxLevel {
		v.add(fieldPath{"level"}, "is %d: write 1 (for beginners) to %d", s.Level, maxLevel)
	}
}

func (v *validator) services() {
	s := v.scenario
	if n := len(s.Services); n < 1 || n > maxServices {
		v.add(fieldPath{"services"}, "there are %d services: write 1 to %d", n, maxServices)
	}
	for i, svc := range s.Services {
		at := fieldPath{"services", i}
		v.label(at.child("name"), svc.Name)
		if s.Service(svc.Name) != &s.Services[i] {
			v.add(at.child("name"), "%q is already used by an earlier service: names must be unique", svc.Name)
		}
		v.port(at.child("port"), svc.Port)
		v.port(at.child("targetPort"), svc.TargetPort)
		v.replicas(at.child("replicas"), svc.Replicas)
		if svc.Probe != "" && svc.Probe != "/readyz" && svc.Probe != "/healthz" {
			v.add(at.child("probe"), "%q is not a path of the demo services: write /readyz or /healthz", svc.Probe)
		}
		v.known(at.child("baseline"), "version", svc.Baseline, keys(svc.Versions))
		v.versions(at.child("versions"), svc)
	}
}

func (v *validator) versions(at fieldPath, svc Service) {
	if len(svc.Versions) == 0 {
		v.add(at, "there are no versions: write at least the baseline")
	}
	routes := v.routes()
	cohorts := v.cohorts()
	for _, name := range keys(svc.Versions) {
		version, at := svc.Versions[name], at.child(name)
		v.label(at, name)
		v.addJoined(at.child("behaviour"), version.Behaviour.Validate())
		v.documents(at.child("manifests"), version.Manifests)
		for _, route := range keys(version.Behaviour.Routes) {
			if route != "" {
				v.known(at.child("behaviour", "routes", route), "route", route, routes)
			}
		}
		for i, f := range version.Behaviour.Faults {
			at := at.child("behaviour", "faults", i, "when")
			v.knownAll(at.child("routes"), "route", f.When.Routes, routes)
			v.knownAll(at.child("cohorts"), "cohort", f.When.Cohorts, cohorts)
		}
	}
}

func (v *validator) clients() {
	s := v.scenario
	if n := len(s.Clients); n < 1 || n > maxClients {
		v.add(fieldPath{"clients"}, "there are %d clients: write 1 to %d, which send the traffic", n, maxClients)
	}
	seen := map[string]bool{}
	for i, client := range s.Clients {
		at := fieldPath{"clients", i}
		v.label(at.child("name"), client.Name)
		if seen[client.Name] || s.Service(client.Name) != nil {
			v.add(at.child("name"), "%q is already used by a service or an earlier client: names must be unique",
				client.Name)
		}
		seen[client.Name] = true
		v.replicas(at.child("replicas"), client.Replicas)
	}
}

func (v *validator) release() {
	r := v.scenario.Release
	v.known(fieldPath{"release", "service"}, "service", r.Service, v.serviceNames())
	svc := v.scenario.Released()
	if svc == nil {
		return
	}
	for _, x := range []struct{ role, name string }{{RoleFaulty, r.Faulty}, {RoleHealthy, r.Healthy}} {
		at := fieldPath{"release", x.role}
		v.known(at, "version", x.name, keys(svc.Versions))
		if x.name == svc.Baseline {
			v.add(at, "%q already runs before the release: write another version", x.name)
		}
	}
	if r.Faulty == r.Healthy {
		v.add(fieldPath{"release", "healthy"}, "%q is also the faulty version: write another version", r.Healthy)
	}
}

func (v *validator) traffic() {
	w := v.scenario.Traffic
	v.addJoined(fieldPath{"traffic"}, w.Validate())
	var clients []string
	for _, client := range v.scenario.Clients {
		clients = append(clients, client.Name)
	}
	for i, r := range w.Routes {
		if r.Service != "" {
			v.known(fieldPath{"traffic", "routes", i, "service"}, "service", r.Service, v.serviceNames())
		}
	}
	for i, cohort := range w.Cohorts {
		if cohort.Client != "" {
			v.known(fieldPath{"traffic", "cohorts", i, "client"}, "client", cohort.Client, clients)
		}
	}
}

func (v *validator) objectives() {
	if len(v.scenario.Objectives) == 0 {
		v.add(fieldPath{"objectives"}, "there is no objective: without one, no answer counts as bad")
	}
	v.eachObjective()
}

func (v *validator) eachObjective() {
	os := v.scenario.Objectives
	for i, o := range os {
		at := fieldPath{"objectives", i}
		if o.Route != "" && !(o.Route == routeOther && v.scenario.Traffic.Replay != nil) {
			v.known(at.child("route"), "route", o.Route, v.routes())
		}
		if slices.ContainsFunc(os[:i], func(earlier service.Objective) bool { return earlier.Route == o.Route }) {
			v.add(at.child("route"), "route %q already has an objective: write one for each route", o.Route)
		}
		if !(o.Success > 0 && o.Success <= 100) {
			v.add(at.child("success"), "is %v: write a percentage above 0 and up to 100", o.Success)
		}
		if o.Latency < 0 {
			v.add(at.child("latency"), "is %v: write a duration above 0, or omit the field", o.Latency)
		}
	}
}

func (v *validator) mesh() {
	m := v.scenario.Mesh
	if m == nil {
		return
	}
	if m.CertificateLife != 0 && m.CertificateLife < time.Minute {
		v.add(fieldPath{"mesh", "certificateLife"}, "is %v: write at least 1m, proxies renew at most every 10s",
			m.CertificateLife)
	}
	if m.IdentityDownAfter < 0 {
		v.add(fieldPath{"mesh", "identityDownAfter"}, "is %v: write a duration above 0", m.IdentityDownAfter)
	}
}

func (v *validator) drain() {
	d := v.scenario.Drain
	if d == nil {
		return
	}
	if d.After <= 0 || d.After >= v.scenario.Timing.Horizon {
		v.add(fieldPath{"drain", "after"}, "is %v: write a duration above 0 and below the horizon of %v", d.After,
			v.scenario.Timing.Horizon)
	}
	if d.Every < time.Second {
		v.add(fieldPath{"drain", "every"}, "is %v: write at least 1s", d.Every)
	}
}

func (v *validator) timing() {
	t := v.scenario.Timing
	if t.Baseline <= 0 || t.Baseline > maxBaseline {
		v.add(fieldPath{"timing", "baseline"}, "is %v: write a duration above 0 and up to %v", t.Baseline, maxBaseline)
	}
	if t.Horizon <= 0 || t.Horizon > maxHorizon {
		v.add(fieldPath{"timing", "horizon"}, "is %v: write a duration above 0 and up to %v", t.Horizon, maxHorizon)
	}
}

func (v *validator) rubric() {
	r := v.scenario.Rubric
	if len(r.Items) == 0 {
		v.add(fieldPath{"rubric", "items"}, "there are no items: write at least one")
	}
	seen := map[string]bool{}
	for i, item := range r.Items {
		at := fieldPath{"rubric", "items", i}
		v.text(at.child("id"), item.ID)
		if seen[item.ID] {
			v.add(at.child("id"), "%q is already used by an earlier item: IDs must be unique", item.ID)
		}
		seen[item.ID] = true
		if item.Points <= 0 {
			v.add(at.child("points"), "is %d: write a number above 0", item.Points)
		}
		v.knownAll(at.child("cohorts"), "cohort", item.Cohorts, v.cohorts())
	}
	if !(r.MaxHarm >= 0 && r.MaxHarm <= 1) {
		v.add(fieldPath{"rubric", "maxHarm"}, "is %v: write a share from 0 to 1", r.MaxHarm)
	}
	if r.MinCanaryRequests < 0 {
		v.add(fieldPath{"rubric", "minCanaryRequests"}, "is %d: write 0 or more", r.MinCanaryRequests)
	}
	for _, least := range []struct {
		field string
		n     int
	}{{"requests", r.MinEvidence.Requests}, {"checks", r.MinEvidence.Checks},
		{"failedChecks", r.MinEvidence.FailedChecks}} {
		if least.n < 0 {
			v.add(fieldPath{"rubric", "minEvidence", least.field}, "is %d: write 0 or more", least.n)
		}
	}
	if s := r.MinEvidence.Status; s != 0 && (s < 300 || s > 599) {
		v.add(fieldPath{"rubric", "minEvidence", "status"}, "is %d: write a status from 300 to 599", s)
	}
	v.knownAll(fieldPath{"rubric", "preconditions"}, "precondition", r.Preconditions, preconditions[:])
}

// documents checks that a text holds Kubernetes manifests, of whatever kinds.
func (v *validator) documents(at fieldPath, text string) {
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
			v.add(at, "document %d: %s", i, strings.TrimPrefix(err.Error(), "yaml: "))
			return
		}
		if head.APIVersion == "" || head.Kind == "" {
			v.add(at, "document %d lacks apiVersion or kind: write a Kubernetes manifest", i)
		}
	}
}

func (v *validator) routes() []string {
	var names []string
	for _, r := range v.scenario.Traffic.Routes {
		names = append(names, r.Name)
	}
	return names
}

func (v *validator) cohorts() []string {
	var names []string
	for _, cohort := range v.scenario.Traffic.Cohorts {
		names = append(names, cohort.Name)
	}
	return names
}

func (v *validator) serviceNames() []string {
	var names []string
	for _, s := range v.scenario.Services {
		names = append(names, s.Name)
	}
	return names
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
