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

// Load plays a plan in virtual time against only the services of a scenario: no Flagger, no
// rollout, no policies. It simulates a load test of real servers, as [Cluster] simulates a real
// cluster: the pods are ready before traffic starts and receive all of it.
type Load struct {
	Scenario *scenario.Scenario
	// Plan is for the scenario's traffic, or for other traffic of its clients to its services.
	Plan *loadgen.Plan
	// Shard is the part of the plan to play; the zero value is all of it.
	Shard loadgen.Shard
	// Versions are the versions to run, by service. Other services run their baseline.
	Versions map[string]string
	// Replicas is the number of pods of each service; 0 means 1.
	Replicas int
	// Uptime is how long the pods have been ready when traffic starts.
	Uptime time.Duration
	// OnAttempt is called for each attempt, in the order in which they end. The outcome is reused
	// after the call. Its version is that of the released service, or "" if the attempt did not
	// reach it.
	OnAttempt func(*loadgen.Outcome)
}

// LoadReport summarizes what was played.
type LoadReport struct {
	// Arrivals counts the requests that were sent, Attempts the attempts at them.
	Arrivals, Attempts int
	// Open counts the requests without a response. It is 0 unless the load was stopped.
	Open int
	// Elapsed is the virtual time up to the last response, rounded up to a tenth of a second.
	Elapsed time.Duration
}

// loadStep is how often a load checks its context and for pods that ran out of memory.
const loadStep = 100 * time.Millisecond

// Run plays the plan up to its last response. If the context is done it stops, and returns the
// report so far and the context's cause.
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

// loadRun is a running load.
type loadRun struct {
	plane *dataplane.Plane
	pods  map[string]dataplane.Pod
	// restartAt has the restart times of killed pods.
	restartAt map[string]time.Duration
}

// open starts services and pods.
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
			Name: s.Name, Namespace: scenario.Namespace, Selector: map[string]string{"app": s.Name}, Port: s.Port,
			TargetPort: s.TargetPort,
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

// checkVersions checks that the scenario has the services and versions.
func (l Load) checkVersions() error {
	for _, name := range slices.Sorted(maps.Keys(l.Versions)) {
		s := l.Scenario.Service(name)
		if s == nil {
			var have []string
			for i := range l.Scenario.Services {
				have = append(have, l.Scenario.Services[i].Name)
			}
			return fmt.Errorf("scenario %s has no service %q: it has %s", l.Scenario.Name, name,
				strings.Join(have, ", "))
		}
		if _, ok := s.Versions[l.Versions[name]]; !ok {
			have := slices.Sorted(maps.Keys(s.Versions))
			return fmt.Errorf("service %s has no version %q: it has %s", name, l.Versions[name],
				strings.Join(have, ", "))
		}
	}
	return nil
}

// pod returns a pod of a service at the version to run.
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

// step advances the load. A pod that ran out of memory restarts without a back-off.
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
