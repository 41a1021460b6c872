package desk

import (
	"context"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/desk/client"
	"coalmine/lab/mesh"
)

// watchDenials finds out whom a 403 of a proxy's own is of. The stand-in's answer says it, Linkerd's does not, and a user
// kept out by the new version's policy is harmed by it. Where the policies in force let just one of the workloads deny a client, it
// is that one.
func (d *Desk) watchDenials(ctx context.Context) error {
	if !d.traffic.open() {
		return nil
	}
	denying, err := d.denying(ctx)
	if err != nil {
		return err
	}
	d.traffic.deny(denying)
	return nil
}

// open tells whether traffic has begun and goes on.
func (t *traffic) open() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.orders.Start != nil && !t.closed && t.fault == ""
}

// deny tells the shards who keeps their requests out, if it is another than before.
func (t *traffic) deny(denying map[string]client.Served) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !maps.Equal(denying, t.orders.Denying) {
		t.order(func(o *client.Orders) { o.Denying = denying })
	}
}

// denying is the one workload that denies a client's requests, by client.
func (d *Desk) denying(ctx context.Context) (map[string]client.Served, error) {
	service := d.scenario.Release.Service
	policies, err := d.cluster.policies(ctx)
	if err != nil {
		return nil, err
	}
	canaries, primaries, err := d.cluster.pods(ctx, service)
	if err != nil {
		return nil, err
	}
	by := map[string]map[client.Served]bool{} // client → workloads
	for _, caller := range d.scenario.Callers(service) {
		w, ok := wayOf(d.scenario, caller, service)
		if !ok {
			continue
		}
		for _, p := range append(canaries, primaries...) {
			if d.denies(&policies, &p, identityOf(d.scenario, caller)) {
				if by[w.Client] == nil {
					by[w.Client] = map[client.Served]bool{}
				}
				by[w.Client][client.Served{Workload: deploymentOf(&p), Version: versionOf(&p)}] = true
			}
		}
	}
	only := map[string]client.Served{}
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
func (d *Desk) denies(policies *mesh.Policies, p *corev1.Pod, identity string) bool {
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil || !meshed(p) {
		return false
	}
	port := d.scenario.Released().TargetPort
	return !policies.Decide(workload(p), port, mesh.Client{Identity: identity, Addr: addr}).Allowed
}
