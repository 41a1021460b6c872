package proxy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/ports"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// clusterState is what the proxy knows of the cluster, computed from one snapshot. It is immutable.
type clusterState struct {
	loaded     bool
	generation uint64
	table      *mesh.Table
	policies   mesh.Policies
	targets    map[netip.AddrPort]*target
	backends   map[mesh.ServicePort]*backend
	// meshed are the pods with a proxy.
	meshed map[netip.Addr]*peer
	// self is the proxy's own pod for policies, nil until it is known.
	self *mesh.Workload
}

// target is a port of a Service that clients connect to.
type target struct {
	mesh.ServicePort
	// plain is the rule of a Service without HTTPRoutes; nil with them.
	plain *rule
	rules map[*mesh.CompiledRule]*rule
	// perRequest is set when rules match headers or the query.
	perRequest bool
	policy     mesh.ServicePolicy
}

// rule is a rule of a route, or the default to the Service's own endpoints.
type rule struct {
	*mesh.CompiledRule
	backends []*backend
	timeouts mesh.Timeouts
	retry    *mesh.Retry // nil for none
}

// backend is a port of a Service that requests are sent to.
type backend struct {
	mesh.ServicePort
	exists bool
	// endpoints are the ready pods, by name.
	endpoints []mesh.Destination
}

// peer is a pod with a proxy.
type peer struct {
	identity    string
	skipInbound ports.Set
}

func emptyState() *clusterState {
	table, _ := mesh.Compile(nil) // compiling nothing cannot fail
	return &clusterState{table: table}
}

// newState computes the state for a pod. The error names routes that do not compile, which are left
// out. Before is the pod's own workload until now, which is kept if it is not in the snapshot any
// more: the pod is about to end.
func newState(s *wire.Snapshot, namespace, pod string, before *mesh.Workload) (*clusterState, error) {
	v := &clusterState{
		loaded: true, generation: s.Generation, policies: s.Policies, targets: map[netip.AddrPort]*target{},
		backends: map[mesh.ServicePort]*backend{}, meshed: map[netip.Addr]*peer{}, self: before,
	}
	var err error
	v.table, err = mesh.Compile(s.Routes)
	for i := range s.Pods {
		d := &s.Pods[i]
		// Requests of the pod to itself bypass its own inbound proxy, as with Linkerd, and so have
		// no mTLS.
		own := d.Namespace == namespace && d.Name == pod
		if d.Meshed && d.IP.IsValid() && !own {
			// A list that cannot be parsed skips nothing: the init container has failed on it.
			skips, _ := ports.Parse(d.SkipInbound)
			v.meshed[d.IP] = &peer{mesh.Identity(d.ServiceAccount, d.Namespace), skips}
		}
		if own {
			v.self = &mesh.Workload{
				Namespace: namespace, Labels: d.Labels, DefaultPolicy: d.DefaultPolicy, PortNames: d.Ports,
				ProbePaths: d.ProbePaths,
			}
		}
	}
	for i := range s.Services {
		v.addBackends(&s.Services[i], s.Pods)
	}
	for i := range s.Services {
		v.addTargets(&s.Services[i])
	}
	return v, err
}

func (v *clusterState) addBackends(s *wire.Service, pods []wire.Pod) {
	for _, port := range s.Ports {
		b := &backend{ServicePort: mesh.ServicePort{Namespace: s.Namespace, Name: s.Name, Port: port.Port},
			exists: true}
		for i := range pods {
			if at := v.endpoint(s, port, &pods[i]); at.IsValid() && pods[i].Ready {
				b.endpoints = append(b.endpoints, v.destination(b.ServicePort, &pods[i], at))
			}
		}
		slices.SortFunc(b.endpoints, func(a, b mesh.Destination) int { return strings.Compare(a.Pod, b.Pod) })
		v.backends[b.ServicePort] = b
	}
}

// endpoint returns the address of a pod for a Service's port. It is zero if the Service does not
// select the pod or the pod has no port of that name.
func (v *clusterState) endpoint(s *wire.Service, port wire.Port, d *wire.Pod) netip.AddrPort {
	selected := len(s.Selector) > 0 && d.Namespace == s.Namespace &&
		(mesh.Selector{MatchLabels: s.Selector}).Matches(d.Labels)
	number := cmp.Or(port.Target, port.Port)
	if port.TargetName != "" {
		number = d.Ports[port.TargetName]
	}
	if !selected || !d.IP.IsValid() || number <= 0 || number > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(d.IP, uint16(number))
}

func (v *clusterState) destination(s mesh.ServicePort, d *wire.Pod, at netip.AddrPort) mesh.Destination {
	return mesh.Destination{
		Addr: at, Identity: v.identityAt(at), Service: s.Name, Namespace: s.Namespace, Port: s.Port,
		Pod: d.Name, Deployment: d.Deployment, ServiceAccount: d.ServiceAccount,
		TemplateHash: d.Labels["pod-template-hash"],
	}
}

// identityAt returns the identity to expect at an address, "" where no proxy answers. On opaque
// ports there is no protocol detection, and so no mTLS.
func (v *clusterState) identityAt(at netip.AddrPort) string {
	d := v.meshed[at.Addr()]
	if d == nil || d.skipInbound.Has(at.Port()) || at.Port() == names.AdminPort || opaquePort(at.Port()) {
		return ""
	}
	return d.identity
}

func (v *clusterState) addTargets(s *wire.Service) {
	for _, port := range s.Ports {
		t := &target{ServicePort: mesh.ServicePort{Namespace: s.Namespace, Name: s.Name, Port: port.Port},
			policy: port.Policy}
		if v.table.HasRoutes(s.Namespace, s.Name, port.Port) {
			t.rules = map[*mesh.CompiledRule]*rule{}
			t.perRequest = v.table.PerRequest(s.Namespace, s.Name, port.Port)
			for _, c := range v.table.Rules(s.Namespace, s.Name, port.Port) {
				t.rules[c] = v.newRule(t, c)
			}
		} else {
			t.plain = v.newRule(t, &mesh.CompiledRule{})
		}
		// Only kube-proxy knows the endpoints of a Service without a selector.
		if len(s.Selector) > 0 && s.ClusterIP.IsValid() && port.Port > 0 && port.Port <= 65535 {
			v.targets[netip.AddrPortFrom(s.ClusterIP, uint16(port.Port))] = t
		}
	}
}

// newRule finds the backends of a rule. A rule without backends sends to the Service itself.
func (v *clusterState) newRule(t *target, c *mesh.CompiledRule) *rule {
	if len(c.Backends) == 0 {
		filled := *c
		filled.Backends = []mesh.Backend{{Service: t.Name, Namespace: t.Namespace, Port: t.Port, Weight: 1}}
		c = &filled
	}
	r := &rule{CompiledRule: c}
	r.timeouts, r.retry = c.Limits(&t.policy)
	for _, b := range c.Backends {
		r.backends = append(r.backends, v.backend(mesh.ServicePort{
			Namespace: cmp.Or(b.Namespace, t.Namespace), Name: b.Service, Port: cmp.Or(b.Port, t.Port),
		}))
	}
	return r
}

// backend returns a port of a Service. A port that an existing Service does not have is a backend
// without endpoints.
func (v *clusterState) backend(at mesh.ServicePort) *backend {
	if b := v.backends[at]; b != nil {
		return b
	}
	b := &backend{ServicePort: at}
	for known := range v.backends {
		b.exists = b.exists || known.Namespace == at.Namespace && known.Name == at.Name
	}
	return b
}

// match returns the rule for a request, nil if there are routes and none matches.
func (v *clusterState) match(t *target, r func() *mesh.Request) *rule {
	if t.plain != nil {
		return t.plain
	}
	return t.rules[v.table.Match(t.Namespace, t.Name, t.Port, r())]
}

// available reports whether any rule of the target has a usable backend.
func (t *target) available(usable func(*backend) bool) bool {
	if t.plain != nil {
		return t.plain.available(usable)
	}
	for _, r := range t.rules {
		if r.available(usable) {
			return true
		}
	}
	return false
}

func (r *rule) available(usable func(*backend) bool) bool {
	for i, b := range r.Backends {
		if b.Weight > 0 && usable(r.backends[i]) {
			return true
		}
	}
	return false
}
