package agent

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// watchDenials finds out whose doing the answers of proxies are. A 403 of Linkerd's proxy does not
// name the workload that denied the request: the counters of the pods' proxies say which do, and
// until they have risen, the policies in force. A 502, 503 or 504 is the release's doing while one
// of its pods is down.
func (a *Agent) watchDenials(ctx context.Context) error {
	if !a.traffic.running() {
		return nil
	}
	d, err := a.denials(ctx)
	if err != nil {
		return err
	}
	d.crashed, err = a.crashed(ctx)
	if err != nil {
		return err
	}
	a.traffic.setDenials(d)
	return nil
}

// denials are the parts of [client.Commands] about the answers of proxies.
type denials struct {
	by        map[string]client.WorkloadVersion
	byRelease map[string]bool
	crashed   bool
}

// running reports whether traffic has started and not ended.
func (t *traffic) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.commands.Start != nil && !t.closed && t.fault == ""
}

// setDenials tells the traffic pods whose doing the answers of proxies are, if that changed.
func (t *traffic) setDenials(d denials) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.commands
	if !maps.Equal(d.by, c.DeniedBy) || !maps.Equal(d.byRelease, c.DeniedByRelease) || d.crashed != c.Crashed {
		t.change(func(o *client.Commands) { o.DeniedBy, o.DeniedByRelease, o.Crashed = d.by, d.byRelease, d.crashed })
	}
}

// denials returns, for each client that exactly one workload denies, that workload, and the clients
// that pods of the new version deny by policy of the scenario.
func (a *Agent) denials(ctx context.Context) (denials, error) {
	d := denials{by: map[string]client.WorkloadVersion{}, byRelease: map[string]bool{}}
	service := a.scenario.Release.Service
	policies, err := a.cluster.policies(ctx)
	if err != nil {
		return d, err
	}
	canaries, primaries, err := a.cluster.pods(ctx, service)
	if err != nil {
		return d, err
	}
	pods := append(canaries, primaries...)
	a.readDenyCounters(ctx, pods)
	guardrails := guardrailPolicies(a.guardrails)
	for _, caller := range a.scenario.Callers(service) {
		path, ok := callPathOf(a.scenario, caller, service)
		if !ok {
			continue
		}
		identity := identityOf(a.scenario, caller)
		deniers := a.denyCounters.of(identity)
		if len(deniers) == 0 {
			deniers = a.denyingByPolicy(&policies, pods, identity)
		}
		denying := map[client.WorkloadVersion]bool{}
		for _, w := range deniers {
			denying[w.WorkloadVersion] = true
			if w.Version != a.scenario.Released().Baseline && !slices.Contains(guardrails, w.server) {
				d.byRelease[path.Client] = true
			}
		}
		for w := range denying {
			if len(denying) == 1 {
				d.by[path.Client] = w
			}
		}
	}
	return d, nil
}

// denyingByPolicy returns the workloads that deny an identity by the policies in force.
func (a *Agent) denyingByPolicy(policies *mesh.Policies, pods []corev1.Pod, identity string) []denier {
	var list []denier
	for i := range pods {
		p := &pods[i]
		if server, denied := a.denies(policies, p, identity); denied {
			list = append(list, denier{denyKey{identity, server},
				client.WorkloadVersion{Workload: deploymentOf(p), Version: a.versionOf(p)}})
		}
	}
	return list
}

// versionOf returns the version of a pod of the released service, by the scenario's name.
func (a *Agent) versionOf(p *corev1.Pod) string {
	return a.scenario.VersionOf(a.scenario.Release.Service, p.Labels[workloads.LabelVersion], a.spec.Version,
		a.spec.Seed)
}

// guardrailPolicies returns the Servers and default policies that the guardrails set.
func guardrailPolicies(set *guardrail.Set) []mesh.Ref {
	if set == nil {
		return nil
	}
	var list []mesh.Ref
	for _, o := range set.Objects {
		switch v := o.Value.(type) {
		case *guardrail.Server:
			list = append(list, mesh.ServerRef(v.Name))
		case *corev1.Namespace:
			list = append(list, mesh.DefaultRef(v.Annotations[mesh.DefaultPolicyAnnotation]))
		}
	}
	return list
}

// denies reports whether a pod's proxy denies an identity, and by which Server.
func (a *Agent) denies(policies *mesh.Policies, p *corev1.Pod, identity string) (mesh.Ref, bool) {
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil || !meshed(p) {
		return mesh.Ref{}, false
	}
	v := policies.Decide(workloadOf(p), a.scenario.Released().TargetPort, mesh.Client{Identity: identity, Addr: addr})
	return v.Server, !v.Allowed
}

// crashed reports whether a pod of the released service was ready and is not any more, though it is
// not being deleted.
func (a *Agent) crashed(ctx context.Context) (bool, error) {
	list, err := a.cluster.Kube.CoreV1().Pods(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("list pods: %w", err)
	}
	service, crashed := a.scenario.Release.Service, false
	seen := map[types.UID]bool{}
	for i := range list.Items {
		p := &list.Items[i]
		if name := deploymentOf(p); name != service && name != primaryOf(service) {
			continue
		}
		ready := podstatus.Ready(p)
		seen[p.UID] = ready || a.wasReady[p.UID]
		crashed = crashed || seen[p.UID] && !ready && p.DeletionTimestamp == nil
	}
	a.wasReady = seen
	return crashed, nil
}
