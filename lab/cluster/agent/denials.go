package agent

import (
	"context"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/mesh"
)

// watchDenials finds out which workload denies a client's requests. A 403 of Linkerd's proxy does
// not name it, but a user denied by the policy of the new version is harmed by the release. If the
// policies in force let exactly one workload deny a client, it is that one.
func (a *Agent) watchDenials(ctx context.Context) error {
	if !a.traffic.running() {
		return nil
	}
	denying, err := a.deniedBy(ctx)
	if err != nil {
		return err
	}
	a.traffic.setDeniedBy(denying)
	return nil
}

// running reports whether traffic has started and not ended.
func (t *traffic) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.commands.Start != nil && !t.closed && t.fault == ""
}

// setDeniedBy tells the traffic pods which workloads deny their requests, if that changed.
func (t *traffic) setDeniedBy(denying map[string]client.WorkloadVersion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !maps.Equal(denying, t.commands.DeniedBy) {
		t.change(func(o *client.Commands) { o.DeniedBy = denying })
	}
}

// deniedBy returns, for each client that exactly one workload denies, that workload.
func (a *Agent) deniedBy(ctx context.Context) (map[string]client.WorkloadVersion, error) {
	service := a.scenario.Release.Service
	policies, err := a.cluster.policies(ctx)
	if err != nil {
		return nil, err
	}
	canaries, primaries, err := a.cluster.pods(ctx, service)
	if err != nil {
		return nil, err
	}
	workloads := map[string]map[client.WorkloadVersion]bool{} // client → workloads
	for _, caller := range a.scenario.Callers(service) {
		path, ok := callPathOf(a.scenario, caller, service)
		if !ok {
			continue
		}
		for _, p := range append(canaries, primaries...) {
			if a.denies(&policies, &p, identityOf(a.scenario, caller)) {
				if workloads[path.Client] == nil {
					workloads[path.Client] = map[client.WorkloadVersion]bool{}
				}
				workloads[path.Client][client.WorkloadVersion{Workload: deploymentOf(&p), Version: versionOf(&p)}] = true
			}
		}
	}
	only := map[string]client.WorkloadVersion{}
	for name, candidates := range workloads {
		for w := range candidates {
			if len(candidates) == 1 {
				only[name] = w
			}
		}
	}
	return only, nil
}

// denies reports whether a pod's proxy denies an identity.
func (a *Agent) denies(policies *mesh.Policies, p *corev1.Pod, identity string) bool {
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil || !meshed(p) {
		return false
	}
	port := a.scenario.Released().TargetPort
	return !policies.Decide(workloadOf(p), port, mesh.Client{Identity: identity, Addr: addr}).Allowed
}
