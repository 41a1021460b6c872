package guardrail

import (
	"coalmine/lab/scenario"
)

// EnvironmentOf returns the environment in which the scenario runs.
func EnvironmentOf(s *scenario.Scenario) Environment {
	env := Environment{
		Namespace:     scenario.Namespace,
		ReleaseTarget: s.Release.Service,
		Ports:         map[string]int{},
		TargetPorts:   map[string]int{},
	}
	for _, svc := range s.Services {
		env.Targets = append(env.Targets, svc.Name)
		env.Ports[svc.Name] = svc.Port
		env.TargetPorts[svc.Name] = svc.TargetPort
	}
	return env
}
