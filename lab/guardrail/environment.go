package guardrail

import (
	"maps"
	"slices"

	"coalmine/lab/scenario"
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
	for _, svc := range s.Services {
		env.Targets = append(env.Targets, svc.Name)
		env.Ports[svc.Name] = svc.Port
		env.TargetPorts[svc.Name] = svc.TargetPort
	}
	return env
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
