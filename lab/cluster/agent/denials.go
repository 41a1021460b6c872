package agent

import (
	"context"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/mesh"
)

// watchDenials finds out whom a 403 of a proxy's own is of. The stand-in's answer says it, Linkerd's does not, and a user
// kept out by the new version's policy is harmed by it. Where the policies in force let just one of the workloads deny a client, it
// is that one.
func (d *Agent) watchDenials(ctx context.Context) error {
	if !d.traffic.running() {
		return nil
	}
	denying, err := d.deniedBy(ctx)
	if err != nil {
		return err
	}
	d.traffic.setDeniedBy(denying)
	return nil
}

// running tells whether traffic has begun and goes on.
func (t *traffic) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.commands.Start != nil && !t.closed && t.fault == ""
}

// setDeniedBy tells the shards who keeps their requests out, if it is another than before.
func (t *traffic) setDeniedBy(denying map[string]client.WorkloadVersion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !maps.Equal(denying, t.commands.DeniedBy) {
		t.change(func(o *client.Commands) { o.DeniedBy = denying })
	}
}

// deniedBy is the one workload that denies a client's requests, by client.
func (d *Agent) deniedBy(ctx context.Context) (map[string]client.WorkloadVersion, error) {
	service := d.scenario.Release.Service
	policies, err := d.cluster.policies(ctx)
	if err != nil {
		return nil, err
	}
	canaries, primaries, err := d.cluster.pods(ctx, service)
	if err != nil {
		return nil, err
	}
	by := map[string]map[client.WorkloadVersion]bool{} // client → workloads
	for _, caller := range d.scenario.Callers(service) {
		w, ok := callPathOf(d.scenario, caller, service)
		if !ok {
			continue
		}
		for _, p := range append(canaries, primaries...) {
			if d.denies(&policies, &p, identityOf(d.scenario, caller)) {
				if by[w.Client] == nil {
					by[w.Client] = map[client.WorkloadVersion]bool{}
				}
				by[w.Client][client.WorkloadVersion{Workload: deploymentOf(&p), Version: versionOf(&p)}] = true
			}
		}
	}
	only := map[string]client.WorkloadVersion{}
	for name, workloads := range by {
		for served := range workloads {
			if len(workloads) == 1 {
				only[name] = served
			}
		}
	}
	return only, nil
}

// denies tells whether a pod's proxy keeps an identity out.
func (d *Agent) denies(policies *mesh.Policies, p *corev1.Pod, identity string) bool {
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil || !meshed(p) {
		return false
	}
	port := d.scenario.Released().TargetPort
	return !policies.Decide(workloadOf(p), port, mesh.Client{Identity: identity, Addr: addr}).Allowed
}
