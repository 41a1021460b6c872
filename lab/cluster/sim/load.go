package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/loadgen"
)

// Load plays a plan in virtual time against the services of a scenario alone: no Flagger, no rollout, no policies. It is to a
// load against real servers what [Cluster] is to a real cluster: the pods are ready before traffic begins and get all of it.
type Load struct {
	Scenario *scenario.Scenario
	// Plan of the scenario's traffic, or of other traffic with the scenario's clients and services.
	Plan *loadgen.Plan
	// Shard is the part of the plan that is played; the zero value is all of it.
	Shard loadgen.Shard
	// Versions that run, by service; the others run their baseline.
	Versions map[string]string
	// Replicas is the number of pods of each service; 0 stands for 1.
	Replicas int
	// Uptime is how long the pods have been ready when traffic begins.
	Uptime time.Duration
	// OnAttempt is told of each attempt, in the order of their ends; the value is used again. Its version is that of the released
	// service, "" for an attempt that did not reach it.
	OnAttempt func(*loadgen.Outcome)
}

// LoadReport says what was played.
type LoadReport struct {
	// Arrivals that were sent, and Attempts at them.
	Arrivals, Attempts int
	// Open counts the arrivals without an answer: 0 unless the load was stopped.
	Open int
	// Elapsed is the virtual time up to the last answer, in whole steps of a tenth of a second.
	Elapsed time.Duration
}

// loadStep is how often a load looks at its context, and at pods that ran out of memory.
const loadStep = 100 * time.Millisecond

// Run plays the plan to its last answer. When the context ends it stops: the report is that of what was played, and the error
// the context's cause.
func (l Load) Run(ctx context.Context) (LoadReport, error) {
	run, err := l.open()
	if err != nil {
		return LoadReport{}, err
	}
	run.plane.StartTraffic(0)
	for !run.plane.Finished() {
		if ctx.Err() != nil {
			return run.report(), context.Cause(ctx)
		}
		run.step()
	}
	return run.report(), nil
}

// loadRun is a load that is played.
type loadRun struct {
	plane *dataplane.Plane
	pods  map[string]dataplane.Pod
	// restartAt pods come back at a time.
	restartAt map[string]time.Duration
}

// open brings services and pods up.
func (l Load) open() (*loadRun, error) {
	if l.Scenario == nil || l.Plan == nil {
		return nil, errors.New("a load in the sim needs a scenario and a plan")
	}
	if err := l.checkVersions(); err != nil {
		return nil, err
	}
	models, err := services.Compile(l.Scenario, l.Plan)
	if err != nil {
		return nil, err
	}
	cfg := planeConfig(l.Scenario, l.Plan, vclock.Epoch)
	cfg.Shard, cfg.OnAttempt = l.Shard, l.OnAttempt
	plane, err := dataplane.New(cfg)
	if err != nil {
		return nil, err
	}
	run := &loadRun{plane: plane, pods: map[string]dataplane.Pod{}, restartAt: map[string]time.Duration{}}
	var list []dataplane.Service
	for i := range l.Scenario.Services {
		s := &l.Scenario.Services[i]
		list = append(list, dataplane.Service{
			Name: s.Name, Namespace: scenario.Namespace, Selector: map[string]string{"app": s.Name}, Port: s.Port, TargetPort: s.TargetPort,
		})
		for n := range max(l.Replicas, 1) {
			pod := l.pod(s, n, netip.AddrFrom4([4]byte{10, 42, byte(i), byte(n)}))
			pod.Model = models.Of(pod.Service, pod.Version)
			run.pods[pod.Name] = pod
			plane.AddPod(pod)
			plane.SetReady(pod.Name, -l.Uptime)
		}
	}
	plane.SetServices(list)
	return run, nil
}

// checkVersions wants services and versions that the scenario has.
func (l Load) checkVersions() error {
	for _, name := range slices.Sorted(maps.Keys(l.Versions)) {
		s := l.Scenario.Service(name)
		if s == nil {
			var have []string
			for i := range l.Scenario.Services {
				have = append(have, l.Scenario.Services[i].Name)
			}
			return fmt.Errorf("scenario %s has no service %q: it has %s", l.Scenario.Name, name, strings.Join(have, ", "))
		}
		if _, ok := s.Versions[l.Versions[name]]; !ok {
			have := slices.Sorted(maps.Keys(s.Versions))
			return fmt.Errorf("service %s has no version %q: it has %s", name, l.Versions[name], strings.Join(have, ", "))
		}
	}
	return nil
}

// pod is a pod of a service at the version that the load asks for.
func (l Load) pod(s *scenario.Service, n int, addr netip.Addr) dataplane.Pod {
	version := s.Baseline
	if v, ok := l.Versions[s.Name]; ok {
		version = v
	}
	return dataplane.Pod{
		Name: fmt.Sprintf("%s-%d", s.Name, n), Namespace: scenario.Namespace, Deployment: s.Name,
		Labels: map[string]string{"app": s.Name}, ServiceAccount: workloads.ServiceAccountName(s, version),
		Service: s.Name, Version: version, Workload: s.Name, Addr: addr, Port: s.TargetPort, Meshed: true,
	}
}

// step plays a little more. A pod that ran out of memory starts up anew, at once: nobody else restarts it.
func (r *loadRun) step() {
	now := r.plane.Now() + loadStep
	r.plane.Advance(now)
	for _, name := range r.plane.OOMKilled() {
		r.restartAt[name] = now + r.pods[name].Model.Behaviour().StartUp
	}
	for _, name := range slices.Sorted(maps.Keys(r.restartAt)) {
		if now >= r.restartAt[name] {
			delete(r.restartAt, name)
			r.plane.SetReady(name, now)
		}
	}
}

func (r *loadRun) report() LoadReport {
	t := r.plane.Totals()
	return LoadReport{Arrivals: t.Planned, Attempts: t.Planned + t.Retries, Open: t.Open, Elapsed: r.plane.Now()}
}
