package deployment

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Config is which services of a scenario run here, and where the others are.
type Config struct {
	options  Options
	scenario *scenario.Scenario
	// plan has the vocabulary of the traffic; its arrivals are not used.
	plan      *loadgen.Plan
	services  []serviceConfig
	elsewhere map[string]*url.URL
}

// serviceConfig is a service that runs here.
type serviceConfig struct {
	service *scenario.Service
	version string
	// label is what the service calls its version; see [Options.VersionLabel].
	label     string
	behaviour service.Behaviour
	// selected is set for the service that version, faults and weight apply to.
	selected bool
}

// New applies options to a scenario. Errors of the options are of type [input.Error].
func New(s *scenario.Scenario, o Options) (*Config, error) {
	plan, err := loadgen.NewPlan(s.Traffic, o.Seed, 0)
	if err != nil {
		return nil, err
	}
	c := &Config{options: o, scenario: s, plan: plan, elsewhere: map[string]*url.URL{}}
	target := s.Released()
	if o.Service != "" {
		if target, err = c.service("--service", o.Service); err != nil {
			return nil, err
		}
		for _, other := range s.Services {
			c.elsewhere[other.Name] = &url.URL{Scheme: "http", Host: other.Name + ":" + strconv.Itoa(other.Port)}
		}
		delete(c.elsewhere, o.Service)
	}
	for _, text := range o.Upstreams {
		if err := c.addUpstream(text); err != nil {
			return nil, err
		}
	}
	for i := range s.Services {
		if svc := &s.Services[i]; c.elsewhere[svc.Name] == nil {
			c.services = append(c.services, serviceConfig{service: svc, version: svc.Baseline, selected: svc == target})
		}
	}
	if err := c.selectVersion(target); err != nil {
		return nil, err
	}
	return c, nil
}

// selectVersion sets the version and faults of the target, and the behaviour of every service.
func (c *Config) selectVersion(target *scenario.Service) error {
	o := c.options
	if c.elsewhere[target.Name] != nil && (o.Version != "" || len(o.Faults) > 0) {
		return input.New("remove --version and --fault, or the --upstream of "+target.Name,
			"--version and --fault apply to %s, which does not run here", target.Name)
	}
	version, err := FindVersion(c.scenario, target, o.Version)
	if err != nil {
		return err
	}
	for i := range c.services {
		s := &c.services[i]
		if s.selected {
			s.version = version
		}
		s.label = s.version
		if s.selected && o.VersionLabel != "" {
			s.label = o.VersionLabel
		}
		s.behaviour = s.service.Versions[s.version].Behaviour
		if s.selected {
			if s.behaviour.Faults, err = c.addFaults(s.behaviour.Faults, o.Faults); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) service(flag, name string) (*scenario.Service, error) {
	if svc := c.scenario.Service(name); svc != nil {
		return svc, nil
	}
	var names []string
	for _, svc := range c.scenario.Services {
		names = append(names, svc.Name)
	}
	return nil, input.New("it has "+strings.Join(names, ", "), "%s: scenario %s has no service %q", flag,
		c.scenario.Name, name)
}

// addUpstream parses NAME=URL.
func (c *Config) addUpstream(text string) error {
	name, address, _ := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		return input.New("write NAME=URL, such as backend=http://127.0.0.1:8081",
			"--upstream %q is not a service with a URL", text)
	}
	if _, err := c.service("--upstream", name); err != nil {
		return err
	}
	if name == c.options.Service {
		return input.New("remove one of the two", "--upstream %s: --service %[1]s already runs it here", name)
	}
	c.elsewhere[name] = u
	if c.options.Service == "" && len(c.elsewhere) == len(c.scenario.Services) {
		return input.New("remove one --upstream", "every service has an --upstream: there is nothing left to run")
	}
	return nil
}

// addFaults parses faults and appends them to others. It names faults that have no name.
func (c *Config) addFaults(have []service.Fault, texts []string) ([]service.Fault, error) {
	all := slices.Clone(have)
	named := func(name string) bool {
		return slices.ContainsFunc(all, func(f service.Fault) bool { return f.Name == name })
	}
	for _, text := range texts {
		f, err := service.ParseFault(text)
		if err != nil {
			return nil, input.New("", "%w", err)
		}
		for n := 1; f.Name == ""; n++ {
			if name := fmt.Sprintf("fault-%d", n); !named(name) {
				f.Name = name
			}
		}
		if named(f.Name) {
			return nil, input.New("use another name", "fault %q: the version already has a fault %q", text, f.Name)
		}
		if err := c.checkFault(text, f.When); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if err := (service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {}},
		Faults: all}).Validate(); err != nil {
		return nil, input.New("", "the faults together: %w", err)
	}
	return all, nil
}

// checkFault checks that the routes and cohorts of a fault exist.
func (c *Config) checkFault(text string, w service.When) error {
	var routes, cohorts []string
	for _, r := range c.plan.Routes() {
		routes = append(routes, r.Name)
	}
	for _, x := range c.plan.Cohorts() {
		cohorts = append(cohorts, x.Name)
	}
	for _, x := range []struct {
		what        string
		used, known []string
	}{{"route", w.Routes, routes}, {"cohort", w.Cohorts, cohorts}} {
		for _, name := range x.used {
			if !slices.Contains(x.known, name) {
				return input.New("scenario "+c.scenario.Name+" has "+strings.Join(x.known, ", "),
					"fault %q: there is no %s %q", text, x.what, name)
			}
		}
	}
	return nil
}
