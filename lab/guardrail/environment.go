package guardrail

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
)

// EnvironmentOf returns the environment in which the scenario runs.
func EnvironmentOf(s *scenario.Scenario) Environment {
	env := Environment{
		Namespace:     scenario.Namespace,
		ReleaseTarget: s.Release.Service,
		Ports:         map[string]int{},
		TargetPorts:   map[string]int{},
		Horizon:       s.Timing.Horizon,
		VersionLabels: VersionLabels(s),
	}
	env.Rates, env.ErrorRates = traffic(s)
	env.Latencies = latencies(s)
	if !asksWhoTakesPart(s) {
		env.Cohorts = cohorts(s)
	}
	for _, c := range s.Clients {
		env.Clients = append(env.Clients, c.Name)
	}
	for _, svc := range s.Services {
		env.Targets = append(env.Targets, svc.Name)
		env.Ports[svc.Name] = svc.Port
		env.TargetPorts[svc.Name] = svc.TargetPort
	}
	return env
}

// asksWhoTakesPart reports whether the rubric of a scenario asks for the users in an experiment, so that
// only the guardrails may say who they are.
func asksWhoTakesPart(s *scenario.Scenario) bool {
	return slices.ContainsFunc(s.Rubric.Items, func(i scenario.RubricItem) bool { return len(i.Cohorts) > 0 })
}

// cohorts returns the users of a scenario as routes tell them apart.
func cohorts(s *scenario.Scenario) []mapping.Cohort {
	var list []mapping.Cohort
	for _, c := range s.Traffic.Cohorts {
		to := mapping.Cohort{Name: c.Name, Share: c.Share}
		add := func(name, value string) {
			to.Personal = to.Personal || strings.Contains(value, "{user}")
			to.Headers = append(to.Headers, [2]string{strings.ToLower(name), value})
		}
		for _, h := range c.Headers {
			add(h.Name, h.Value)
		}
		var cookies []string
		for _, k := range c.Cookies {
			cookies = append(cookies, k.Name+"="+k.Value)
		}
		if len(cookies) > 0 {
			add("cookie", strings.Join(cookies, "; "))
		}
		list = append(list, to)
	}
	return list
}

// VersionLabels returns the labels of pods that a version of a service sets, sorted.
func VersionLabels(s *scenario.Scenario) []string {
	set := map[string]bool{}
	for _, svc := range s.Services {
		for _, v := range svc.Versions {
			for name := range v.Labels {
				set[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// traffic returns how many requests per second each service gets on average, and which share of them
// fails by the baseline version. Retries are not counted, nor is traffic that is replayed from a log.
func traffic(s *scenario.Scenario) (rates, errors map[string]float64) {
	rates, errors = map[string]float64{}, map[string]float64{}
	failed := map[string]float64{}
	total := s.Traffic.Rate.Mean(s.Timing.Horizon)
	for i, share := range s.Traffic.RouteShares() {
		chain := routeChain(s, i)
		failing := 0.0
		for _, hop := range slices.Backward(chain) {
			failing = 1 - (1-failing)*(1-hop.errors)
			rates[hop.service] += total * share
			failed[hop.service] += total * share * failing
		}
	}
	for service, n := range failed {
		if rates[service] > 0 {
			errors[service] = n / rates[service]
		}
	}
	return rates, errors
}

// hop is a service that answers a request, the share of requests that it fails by itself, and how
// long it takes by itself.
type hop struct {
	service    string
	errors     float64
	own, store service.Latency
}

// routeChain returns the services that take part in answering a route of the traffic.
func routeChain(s *scenario.Scenario, i int) []hop {
	route := s.Traffic.Routes[i]
	return callChain(s, cmp.Or(route.Service, s.Services[0].Name), route.Name)
}

// callChain returns the services that take part in answering a route, beginning with the first.
func callChain(s *scenario.Scenario, first, route string) []hop {
	var chain []hop
	for name := first; name != "" && len(chain) < len(s.Services); {
		i := slices.IndexFunc(s.Services, func(svc scenario.Service) bool { return svc.Name == name })
		if i < 0 {
			break
		}
		routes := s.Services[i].Versions[s.Services[i].Baseline].Behaviour.Routes
		b, own := routes[route]
		if !own {
			b = routes[""]
		}
		chain = append(chain, hop{name, b.ErrorRate, b.Latency, b.Datastore})
		name = b.Calls
	}
	return chain
}
