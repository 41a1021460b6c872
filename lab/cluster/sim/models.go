package sim

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// models are the models that the pods of a run have.
type models struct {
	services.Models
	spec cluster.RunSpec
}

// newPlane makes the data plane of a run, and the models that its pods run.
func newPlane(spec cluster.RunSpec) (*dataplane.Plane, models, error) {
	s := spec.Scenario
	plan, err := loadgen.NewPlan(s.Traffic, spec.Seed, s.Timing.Baseline+s.Timing.Horizon)
	if err != nil {
		return nil, models{}, fmt.Errorf("traffic: %w", err)
	}
	ms, err := services.Compile(s, plan)
	if err != nil {
		return nil, models{}, err
	}
	cfg := planeConfig(s, plan, time.Now())
	cfg.IssuerLife = s.Released().Versions[spec.Version].IssuerLife
	plane, err := dataplane.New(cfg)
	return plane, models{ms, spec}, err
}

// planeConfig returns the data plane's configuration for a scenario's services and clients, with a
// plan that starts at a wall time.
func planeConfig(s *scenario.Scenario, plan *loadgen.Plan, start time.Time) dataplane.Config {
	cfg := dataplane.Config{
		Plan: plan, Seed: plan.Seed(), Namespace: scenario.Namespace,
		Service: s.Release.Service, Baseline: s.Released().Baseline, DefaultService: s.Services[0].Name,
		Objective: func(route string) time.Duration { return service.LatencyObjective(s.Objectives, route) },
		Start:     start, ColdProxies: s.ColdProxies,
	}
	if s.Mesh != nil {
		cfg.CertificateLife, cfg.IdentityDownAfter = s.Mesh.CertificateLife, s.Mesh.IdentityDownAfter
	}
	for _, c := range s.Clients {
		cfg.Clients = append(cfg.Clients, dataplane.Client{
			Name: c.Name, Namespace: scenario.Namespace, ServiceAccount: c.ServiceAccount, Replicas: c.Replicas,
			Unmeshed: c.Unmeshed,
		})
	}
	return cfg
}

// versionOf returns the service and the version of a pod, by the scenario's names.
func (m models) versionOf(t *corev1.PodTemplateSpec) (service, version string) {
	service, name := imageOf(t)
	return service, m.spec.Scenario.VersionOf(service, name, m.spec.Version, m.spec.Seed)
}

// startUp returns the time from a pod's creation to its readiness.
func (m models) startUp(t *corev1.PodTemplateSpec) time.Duration { return m.StartUp(m.versionOf(t)) }
