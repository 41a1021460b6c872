// Package services compiles the demo services of a scenario: the model of each version of each service, for one plan. The sim
// and the services that run as processes draw from these, so that one seed gives a request one fate wherever it is played. It
// knows neither clock nor network.
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

// Compile makes the models of every version of every service, for the seed and the words of a plan of the scenario's traffic.
// Errors name the service and the version.
func Compile(s *scenario.Scenario, plan *loadgen.Plan) (Models, error) {
	all, words := Models{}, Vocabulary(plan)
	for _, svc := range s.Services {
		for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
			m, err := Compiler(svc.Versions[name].Behaviour, words, svc.Name)(plan.Seed())
			if err != nil {
				return nil, fmt.Errorf("service %s, version %s: %w", svc.Name, name, err)
			}
			all[modelKey{svc.Name, name}] = m
		}
	}
	return all, nil
}

// Compiler returns how the model of a service with a behaviour is made for the seed of a run. The words are those of any plan of
// the same traffic: requests that were really sent are decided by what they bring (see [app.Model.BeginSent]).
func Compiler(b service.Behaviour, words service.Vocabulary, svc string) func(run uint64) (*service.Model, error) {
	return func(run uint64) (*service.Model, error) { return service.Compile(b, words, Seed(run, svc)) }
}

// Of is the model of a version of a service, nil where the scenario has no such.
func (m Models) Of(service, version string) *service.Model { return m[modelKey{service, version}] }

// Seed is what a service draws by in a run. Versions of one service draw alike, so that they differ by what they do; services
// draw apart.
func Seed(run uint64, service string) uint64 { return rng.New(run, "service/"+service).Bits(0) }

// Vocabulary lets services read what the users of a plan send.
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

// DefaultStartUp is how long a simulated pod takes to readiness whose behaviour does not say. A process of its own takes what
// it takes.
const DefaultStartUp = 4 * time.Second

// StartUp is the time from the creation of a simulated pod to its readiness.
func (m Models) StartUp(service, version string) time.Duration {
	if model := m.Of(service, version); model != nil && model.Behaviour().StartUp > 0 {
		return model.Behaviour().StartUp
	}
	return DefaultStartUp
}
