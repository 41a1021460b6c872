// Package services compiles the demo services of a scenario: a model for each version of each
// service, for the seed of one plan. The sim and the services that run as processes use the same
// models, so for one seed a request has the same outcome in both. The package has no clock and no
// network.
package services

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// Models are the compiled behaviours of the services of a scenario, by service and version.
type Models map[modelKey]*service.Model

type modelKey struct{ service, version string }

// Compile compiles the models of every version of every service, for the seed and vocabulary of a
// plan of the scenario's traffic. Errors name the service and the version.
func Compile(s *scenario.Scenario, plan *loadgen.Plan) (Models, error) {
	all, vocabulary := Models{}, Vocabulary(plan)
	for _, svc := range s.Services {
		for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
			m, err := Compiler(svc.Versions[name].Behaviour, vocabulary, svc.Name)(plan.Seed())
			if err != nil {
				return nil, fmt.Errorf("service %s, version %s: %w", svc.Name, name, err)
			}
			all[modelKey{svc.Name, name}] = m
		}
	}
	return all, nil
}

// Compiler returns a function that compiles the model of a service for the seed of a run. The
// vocabulary can be that of any plan of the same traffic, because the outcome of a real request
// depends on its own headers (see [service.Model.BeginWithHeaders]).
func Compiler(b service.Behaviour, v service.Vocabulary, svc string) func(run uint64) (*service.Model, error) {
	return func(run uint64) (*service.Model, error) { return service.Compile(b, v, Seed(run, svc)) }
}

// Of returns the model of a version of a service, or nil if the scenario has none.
func (m Models) Of(service, version string) *service.Model { return m[modelKey{service, version}] }

// Seed returns the seed of a service's model in a run. Versions of one service have the same seed,
// so they differ only in their behaviour; different services have different seeds.
func Seed(run uint64, service string) uint64 { return rng.New(run, "service/"+service).Bits(0) }

// Vocabulary returns the names, headers and cookies of a plan's traffic.
func Vocabulary(plan *loadgen.Plan) service.Vocabulary {
	v := service.Vocabulary{Header: plan.Header, Cookie: plan.Cookie, PerUser: plan.PerUser}
	for _, r := range plan.Routes() {
		v.Routes = append(v.Routes, r.Name)
	}
	for _, c := range plan.Cohorts() {
		v.Cohorts = append(v.Cohorts, c.Name)
	}
	return v
}

// DefaultStartUp is the start-up time of a simulated pod whose behaviour does not set one.
const DefaultStartUp = 4 * time.Second

// StartUp returns the time from the creation of a simulated pod to its readiness.
func (m Models) StartUp(service, version string) time.Duration {
	if model := m.Of(service, version); model != nil && model.Behaviour().StartUp > 0 {
		return model.Behaviour().StartUp
	}
	return DefaultStartUp
}
