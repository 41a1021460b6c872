package agent

import (
	"context"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/mesh"
)

// denyCounters are the counters of denied requests of the released service's proxies. A 403 does not
// say which pod's proxy denied the request; the proxies' counters do.
type denyCounters struct {
	// counts are the last values, by pod.
	counts map[string]map[denyKey]float64
	// risen has when a counter last rose.
	risen map[denier]time.Time
}

// denyKey is a counter of one proxy: the identity of the client, "" without mTLS, and the Server or
// default policy that denied it.
type denyKey struct {
	identity string
	server   mesh.Ref
}

// denier is a workload that denies a client by a policy.
type denier struct {
	denyKey
	client.WorkloadVersion
}

// denyWindow is how long after a counter rose it counts as denying: a client may send requests less
// often than every second.
const denyWindow = 3 * time.Second

// readDenyCounters reads the counters of the pods. A proxy that does not answer is skipped: its pod
// starts or ends. What a counter had when it was first seen may be from before the traffic.
func (a *Agent) readDenyCounters(ctx context.Context, pods []corev1.Pod) {
	c := &a.denyCounters
	if c.risen == nil {
		c.counts, c.risen = map[string]map[denyKey]float64{}, map[denier]time.Time{}
	}
	now := a.now()
	counts := map[string]map[denyKey]float64{}
	for i := range pods {
		p := &pods[i]
		if !meshed(p) {
			continue
		}
		counted, err := a.proxies.denied(ctx, p.Status.PodIP, a.scenario.Released().TargetPort)
		if err != nil {
			a.log.Debug("cannot read a proxy's counters", "pod", p.Name, "error", err)
			counts[p.Name] = c.counts[p.Name]
			continue
		}
		before, seen := c.counts[p.Name]
		for key, n := range counted {
			if seen && n > before[key] {
				c.risen[denier{key, client.WorkloadVersion{Workload: deploymentOf(p), Version: a.versionOf(p)}}] = now
			}
		}
		counts[p.Name] = counted
	}
	c.counts = counts
	for d, at := range c.risen {
		if now.Sub(at) > denyWindow {
			delete(c.risen, d)
		}
	}
}

// of returns the workloads whose proxies deny an identity, with the policies.
func (c *denyCounters) of(identity string) []denier {
	var list []denier
	for d := range c.risen {
		if d.identity == identity {
			list = append(list, d)
		}
	}
	return list
}

// denied returns the counters of requests to a port of a pod that its proxy denied.
func (p *proxies) denied(ctx context.Context, ip string, port int) (map[denyKey]float64, error) {
	address := net.JoinHostPort(ip, strconv.Itoa(p.port))
	families, err := p.read(ctx, "http://"+address+"/metrics")
	if err != nil {
		return nil, err
	}
	counts := map[denyKey]float64{}
	for _, m := range families["inbound_http_authz_deny_total"].GetMetric() {
		labels := labelsOf(m)
		if identity, ok := clientIdentity(labels, port); ok {
			server := mesh.Ref{Group: labels["srv_group"], Kind: labels["srv_kind"], Name: labels["srv_name"]}
			counts[denyKey{identity, server}] += valueOf(m)
		}
	}
	return counts, nil
}
