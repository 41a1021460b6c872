package sim

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab"
	"coalmine/lab/app"
	"coalmine/lab/sim/dataplane"
	"coalmine/lab/slo"
	"coalmine/loadgen"
	"coalmine/loadgen/chance"
	"coalmine/scenarios"
)

// defaultStartUp is how long a pod takes to readiness whose behaviour does not say.
const defaultStartUp = 4 * time.Second

// models are the compiled behaviours of the demo services, by service and version.
type models map[[2]string]*app.Model

// newPlane makes the data plane of a flight, and the models that its pods run.
func newPlane(f lab.Flight) (*dataplane.Plane, models, error) {
	s := f.Scenario
	plan, err := loadgen.NewPlan(s.Traffic, f.Seed, s.Timing.Baseline+s.Timing.Horizon)
	if err != nil {
		return nil, nil, fmt.Errorf("traffic: %w", err)
	}
	ms := models{}
	for _, svc := range s.Services {
		// Versions of one service draw alike, so that they differ by what they do; services draw apart.
		seed := chance.New(f.Seed, "service/"+svc.Name).Bits(0)
		for name, v := range svc.Versions {
			m, err := app.Compile(v.Behaviour, vocabulary(plan), seed)
			if err != nil {
				return nil, nil, fmt.Errorf("service %s, version %s: %w", svc.Name, name, err)
			}
			ms[[2]string{svc.Name, name}] = m
		}
	}
	cfg := dataplane.Config{
		Plan: plan, Seed: f.Seed, Namespace: scenarios.Namespace,
		Service: s.Release.Service, Baseline: s.Released().Baseline, DefaultService: s.Services[0].Name,
		Objective: func(route string) time.Duration { return slo.Latency(s.Objectives, route) },
		Start:     time.Now(),
	}
	for _, c := range s.Clients {
		cfg.Clients = append(cfg.Clients, dataplane.Client{
			Name: c.Name, Namespace: scenarios.Namespace, ServiceAccount: c.ServiceAccount, Replicas: c.Replicas, Unmeshed: c.Unmeshed,
		})
	}
	plane, err := dataplane.New(cfg)
	return plane, ms, err
}

// vocabulary lets the services read what users send.
func vocabulary(plan *loadgen.Plan) app.Vocabulary {
	v := app.Vocabulary{Header: plan.Header, Cookie: plan.Cookie, PerUser: plan.PerUser}
	w := plan.Workload()
	for _, r := range w.Routes {
		v.Routes = append(v.Routes, r.Name)
	}
	for _, c := range w.Cohorts {
		v.Cohorts = append(v.Cohorts, c.Name)
	}
	return v
}

// startUp is the time from a pod's creation to its readiness.
func (m models) startUp(t *corev1.PodTemplateSpec) time.Duration {
	service, version, _ := imageOf(t)
	if model := m[[2]string{service, version}]; model != nil && model.Behaviour().StartUp > 0 {
		return model.Behaviour().StartUp
	}
	return defaultStartUp
}
