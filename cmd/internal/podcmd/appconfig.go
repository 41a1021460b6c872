package podcmd

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// appConfig is which services of a scenario run here, and where the others are.
type appConfig struct {
	scenario *scenario.Scenario
	// plan has the routes and cohorts of the traffic; its arrivals are not used.
	plan     *loadgen.Plan
	services []serviceConfig
	// upstreams are the services that run elsewhere.
	upstreams map[string]*url.URL
}

// serviceConfig is a service that runs here.
type serviceConfig struct {
	service   *scenario.Service
	version   string
	behaviour service.Behaviour
	// target is set for the service that --version, --fault and --weight are for.
	target bool
}

const roleBaseline = "baseline"

// newAppConfig applies the flags to a scenario.
func newAppConfig(s *scenario.Scenario, f appFlags) (*appConfig, error) {
	plan, err := loadgen.NewPlan(s.Traffic, f.seed, 0)
	if err != nil {
		return nil, err
	}
	c := &appConfig{scenario: s, plan: plan, upstreams: map[string]*url.URL{}}
	target := s.Released()
	if f.service != "" {
		if target, err = c.service("--service", f.service); err != nil {
			return nil, err
		}
		for _, other := range s.Services {
			c.upstreams[other.Name] = &url.URL{Scheme: "http", Host: other.Name + ":" + strconv.Itoa(other.Port)}
		}
		delete(c.upstreams, f.service)
	}
	for _, text := range f.upstreams {
		if err := c.addUpstream(text, f.service); err != nil {
			return nil, err
		}
	}
	for i := range s.Services {
		if svc := &s.Services[i]; c.upstreams[svc.Name] == nil {
			c.services = append(c.services, serviceConfig{service: svc, version: svc.Baseline, target: svc == target})
		}
	}
	return c, c.setVersions(target, f)
}

// setVersions gives the target its version and faults, and every service its behaviour.
func (c *appConfig) setVersions(target *scenario.Service, f appFlags) error {
	if c.upstreams[target.Name] != nil && (f.version != "" || len(f.faults) > 0) {
		return run.Invalid("leave --version and --fault out, or the --upstream of "+target.Name,
			"--version and --fault are for %s, which does not run here", target.Name)
	}
	version, err := FindVersion(c.scenario, target, f.version)
	if err != nil {
		return err
	}
	for i := range c.services {
		p := &c.services[i]
		if p.target {
			p.version = version
		}
		p.behaviour = p.service.Versions[p.version].Behaviour
		if p.target {
			if p.behaviour.Faults, err = c.addFaults(p.behaviour.Faults, f.faults); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *appConfig) service(flag, name string) (*scenario.Service, error) {
	if svc := c.scenario.Service(name); svc != nil {
		return svc, nil
	}
	var names []string
	for _, svc := range c.scenario.Services {
		names = append(names, svc.Name)
	}
	return nil, run.Invalid("it has "+strings.Join(names, ", "), "%s: scenario %s has no service %q", flag, c.scenario.Name, name)
}

// addUpstream parses NAME=URL.
func (c *appConfig) addUpstream(text, running string) error {
	name, address, _ := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return run.Invalid("write NAME=URL, as backend=http://127.0.0.1:8081", "--upstream %q is not a service and its URL", text)
	}
	if _, err := c.service("--upstream", name); err != nil {
		return err
	}
	if name == running {
		return run.Invalid("leave one of the two out", "--upstream %s is where --service %s runs itself", name, running)
	}
	c.upstreams[name] = u
	if running == "" && len(c.upstreams) == len(c.scenario.Services) {
		return run.Invalid("leave one --upstream out", "every service runs elsewhere: there is nothing left to run")
	}
	return nil
}

// rolesOf returns the versions of a service by their role in the scenario.
func rolesOf(s *scenario.Scenario, svc *scenario.Service) map[string]string {
	roles := map[string]string{roleBaseline: svc.Baseline}
	if svc.Name == s.Release.Service {
		roles[scenario.RoleFaulty], roles[scenario.RoleHealthy] = s.Release.Faulty, s.Release.Healthy
	}
	return roles
}

// FindVersion returns the version of a service that a user means: by its name, its role, or both as
// v2-faulty, which must agree. "" is the baseline.
func FindVersion(s *scenario.Scenario, svc *scenario.Service, text string) (string, error) {
	roles := rolesOf(s, svc)
	if text == "" {
		return svc.Baseline, nil
	}
	if _, ok := svc.Versions[text]; ok {
		return text, nil
	}
	if name, ok := roles[text]; ok {
		return name, nil
	}
	at := max(strings.LastIndexByte(text, '-'), 0)
	name, role := text[:at], strings.TrimPrefix(text[at:], "-")
	_, known := svc.Versions[name]
	meant, isRole := roles[role]
	if known && meant == name {
		return name, nil
	}
	hint := svc.Name + " has " + strings.Join(versionList(s, svc), ", ")
	if known && isRole {
		return "", run.Invalid(hint, "version %q: %s is not the %s version, which is %s", text, name, role, meant)
	}
	return "", run.Invalid(hint, "%s has no version %q", svc.Name, text)
}

// versionList returns the versions of a service with their roles.
func versionList(s *scenario.Scenario, svc *scenario.Service) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
		list = append(list, withRole(s, svc, name))
	}
	return list
}

// withRole returns a version with its role in the scenario: "v2 (faulty)".
func withRole(s *scenario.Scenario, svc *scenario.Service, version string) string {
	for role, name := range rolesOf(s, svc) {
		if name == version {
			return version + " (" + role + ")"
		}
	}
	return version
}

// addFaults parses faults and adds them to others. A fault without a name gets one.
func (c *appConfig) addFaults(have []service.Fault, texts []string) ([]service.Fault, error) {
	all := slices.Clone(have)
	named := func(name string) bool {
		return slices.ContainsFunc(all, func(f service.Fault) bool { return f.Name == name })
	}
	for _, text := range texts {
		f, err := service.ParseFault(text)
		if err != nil {
			return nil, run.Invalid("", "%w", err)
		}
		for n := 1; f.Name == ""; n++ {
			if name := fmt.Sprintf("fault-%d", n); !named(name) {
				f.Name = name
			}
		}
		if named(f.Name) {
			return nil, run.Invalid("give it another name", "fault %q: there is a fault %q already", text, f.Name)
		}
		if err := c.checkMatch(text, f.When); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if err := (service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {}}, Faults: all}).Validate(); err != nil {
		return nil, run.Invalid("", "the faults together: %w", err)
	}
	return all, nil
}

// checkMatch returns an error if a fault is for a route or cohort that the traffic does not have.
func (c *appConfig) checkMatch(text string, w service.When) error {
	var routes, cohorts []string
	for _, r := range c.plan.Routes() {
		routes = append(routes, r.Name)
	}
	for _, x := range c.plan.Cohorts() {
		cohorts = append(cohorts, x.Name)
	}
	for _, x := range []struct {
		what         string
		asked, known []string
	}{{"route", w.Routes, routes}, {"cohort", w.Cohorts, cohorts}} {
		for _, name := range x.asked {
			if !slices.Contains(x.known, name) {
				return run.Invalid("scenario "+c.scenario.Name+" has "+strings.Join(x.known, ", "), "fault %q: there is no %s %q", text, x.what, name)
			}
		}
	}
	return nil
}
