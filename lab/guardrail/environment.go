package guardrail

import (
	"coalmine/lab/scenario"
)

// EnvironmentOf tells validation what the guardrails of a scenario may refer to; one canary must watch the released service.
func EnvironmentOf(s *scenario.Scenario) Environment {
	env := Environment{Namespace: scenario.Namespace, ReleaseTarget: s.Release.Service, Ports: map[string]int{}, TargetPorts: map[string]int{}}
	for _, svc := range s.Services {
		env.Targets = append(env.Targets, svc.Name)
		env.Ports[svc.Name] = svc.Port
		env.TargetPorts[svc.Name] = svc.TargetPort
	}
	return env
}
