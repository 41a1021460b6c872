package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// cast is which services of a scenario run here, and where the others are.
type cast struct {
	scenario *scenario.Scenario
	// plan has the words of the traffic; its arrivals are of no interest here.
	plan      *loadgen.Plan
	parts     []part
	elsewhere map[string]*url.URL
}

// part is a service that runs here.
type part struct {
	service   *scenario.Service
	version   string
	behaviour service.Behaviour
	// chosen is set for the service that version, faults and weight are for.
	chosen bool
}

const roleBaseline = "baseline"

// newCast finds out what the flags mean in a scenario.
func newCast(s *scenario.Scenario, f appFlags) (*cast, error) {
	plan, err := loadgen.NewPlan(s.Traffic, f.seed, 0)
	if err != nil {
		return nil, err
	}
	c := &cast{scenario: s, plan: plan, elsewhere: map[string]*url.URL{}}
	target := s.Released()
	if f.service != "" {
		if target, err = c.service("--service", f.service); err != nil {
			return nil, err
		}
		for _, other := range s.Services {
			c.elsewhere[other.Name] = &url.URL{Scheme: "http", Host: other.Name + ":" + strconv.Itoa(other.Port)}
		}
		delete(c.elsewhere, f.service)
	}
	for _, text := range f.upstreams {
		if err := c.addUpstream(text, f.service); err != nil {
			return nil, err
		}
	}
	for i := range s.Services {
		if svc := &s.Services[i]; c.elsewhere[svc.Name] == nil {
			c.parts = append(c.parts, part{service: svc, version: svc.Baseline, chosen: svc == target})
		}
	}
	return c, c.choose(target, f)
}

// choose gives the target its version and faults, and every part its behaviour.
func (c *cast) choose(target *scenario.Service, f appFlags) error {
	if c.elsewhere[target.Name] != nil && (f.version != "" || len(f.faults) > 0) {
		return invalid("leave --version and --fault out, or the --upstream of "+target.Name,
			"--version and --fault are for %s, which does not run here", target.Name)
	}
	version, err := findVersion(c.scenario, target, f.version)
	if err != nil {
		return err
	}
	for i := range c.parts {
		p := &c.parts[i]
		if p.chosen {
			p.version = version
		}
		p.behaviour = p.service.Versions[p.version].Behaviour
		if p.chosen {
			if p.behaviour.Faults, err = c.addFaults(p.behaviour.Faults, f.faults); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cast) service(flag, name string) (*scenario.Service, error) {
	if svc := c.scenario.Service(name); svc != nil {
		return svc, nil
	}
	var names []string
	for _, svc := range c.scenario.Services {
		names = append(names, svc.Name)
	}
	return nil, invalid("it has "+strings.Join(names, ", "), "%s: scenario %s has no service %q", flag, c.scenario.Name, name)
}

// addUpstream reads NAME=URL.
func (c *cast) addUpstream(text, running string) error {
	name, address, _ := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return invalid("write NAME=URL, as backend=http://127.0.0.1:8081", "--upstream %q is no service and address", text)
	}
	if _, err := c.service("--upstream", name); err != nil {
		return err
	}
	if name == running {
		return invalid("leave one of the two out", "--upstream %s is where --service %s runs itself", name, running)
	}
	c.elsewhere[name] = u
	if running == "" && len(c.elsewhere) == len(c.scenario.Services) {
		return invalid("leave one --upstream out", "every service runs elsewhere: there is nothing left to run")
	}
	return nil
}

// rolesOf names the versions of a service that have a role in the scenario.
func rolesOf(s *scenario.Scenario, svc *scenario.Service) map[string]string {
	roles := map[string]string{roleBaseline: svc.Baseline}
	if svc.Name == s.Release.Service {
		roles[scenario.RoleFaulty], roles[scenario.RoleHealthy] = s.Release.Faulty, s.Release.Healthy
	}
	return roles
}

// findVersion reads a version's name, its role, or both as v2-faulty, which must be of one version.
func findVersion(s *scenario.Scenario, svc *scenario.Service, text string) (string, error) {
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
		return "", invalid(hint, "version %q: %s is not the %s version, which is %s", text, name, role, meant)
	}
	return "", invalid(hint, "%s has no version %q", svc.Name, text)
}

// versionList has the versions of a service with their roles.
func versionList(s *scenario.Scenario, svc *scenario.Service) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
		list = append(list, withRole(s, svc, name))
	}
	return list
}

// withRole is a version and what it is in the scenario.
func withRole(s *scenario.Scenario, svc *scenario.Service, version string) string {
	for role, name := range rolesOf(s, svc) {
		if name == version {
			return version + " (" + role + ")"
		}
	}
	return version
}

// addFaults reads faults and adds them to others. One without a name gets one of its own.
func (c *cast) addFaults(have []service.Fault, texts []string) ([]service.Fault, error) {
	all := slices.Clone(have)
	named := func(name string) bool {
		return slices.ContainsFunc(all, func(f service.Fault) bool { return f.Name == name })
	}
	for _, text := range texts {
		f, err := service.ParseFault(text)
		if err != nil {
			return nil, invalid("", "%w", err)
		}
		for n := 1; f.Name == ""; n++ {
			if name := fmt.Sprintf("fault-%d", n); !named(name) {
				f.Name = name
			}
		}
		if named(f.Name) {
			return nil, invalid("take another name", "fault %q: there is a fault %q already", text, f.Name)
		}
		if err := c.knows(text, f.When); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if err := (service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {}}, Faults: all}).Validate(); err != nil {
		return nil, invalid("", "the faults together: %w", err)
	}
	return all, nil
}

// knows looks for the routes and cohorts of a fault in the traffic.
func (c *cast) knows(text string, w service.When) error {
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
				return invalid("scenario "+c.scenario.Name+" has "+strings.Join(x.known, ", "), "fault %q: there is no %s %q", text, x.what, name)
			}
		}
	}
	return nil
}
