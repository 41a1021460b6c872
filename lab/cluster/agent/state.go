package agent

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/gate"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// state lets gates look at the cluster for the time of one call. It implements [gate.State]. What cannot be read is kept as an error:
// an answer that rests on it is none.
type state struct {
	*Agent
	ctx context.Context
	err error
	// policies are read when first asked for; known are the pods that were told of.
	policies *mesh.Policies
	pods     map[string]corev1.Pod
}

func (s *state) failed(err error) bool {
	if err != nil && s.err == nil {
		s.err = err
	}
	return err != nil
}

// Pods implements [gate.State].
func (s *state) Pods(service string) []gate.Pod {
	canaries, primaries, err := s.cluster.pods(s.ctx, service)
	if s.failed(err) {
		return nil
	}
	s.pods = map[string]corev1.Pod{}
	var list []gate.Pod
	for i, p := range append(canaries, primaries...) {
		pod := gate.Pod{Name: p.Name, Canary: i < len(canaries), Meshed: meshed(&p)}
		if pod.Meshed {
			pod.Identity = mesh.Identity(cmp.Or(p.Spec.ServiceAccountName, "default"), p.Namespace)
		}
		s.pods[p.Name] = p
		list = append(list, pod)
	}
	return list
}

// Peers implements [gate.State]. The pods' own proxies are asked, not Prometheus: its samples are up to a scrape interval old, and a
// client that called since would be overlooked.
func (s *state) Peers(service string) []gate.Peer {
	canaries, _, err := s.cluster.pods(s.ctx, service)
	if s.failed(err) {
		return nil
	}
	var peers []gate.Peer
	for _, p := range canaries {
		if !meshed(&p) {
			continue
		}
		identities, err := s.proxies.clients(s.ctx, p.Status.PodIP, s.scenario.Service(service).TargetPort)
		if err != nil && !s.podExists(service, p.Name) {
			continue // it went away meanwhile
		}
		if s.failed(err) {
			return nil
		}
		for _, identity := range identities {
			peers = append(peers, gate.Peer{Pod: p.Name, Identity: identity})
		}
	}
	return peers
}

// podExists tells whether a canary's pod still takes requests.
func (s *state) podExists(service, pod string) bool {
	canaries, _, err := s.cluster.pods(s.ctx, service)
	return err != nil || slices.ContainsFunc(canaries, func(p corev1.Pod) bool { return p.Name == pod })
}

// Clients implements [gate.State].
func (s *state) Clients(service string) []gate.Client {
	var list []gate.Client
	for _, name := range s.scenario.Callers(service) {
		list = append(list, gate.Client{Name: name, Identity: identityOf(s.scenario, name)})
	}
	return list
}

// identityOf is a caller's in the mesh, "" for an unmeshed one: a client's, or that of a service's baseline.
func identityOf(s *scenario.Scenario, name string) string {
	for _, c := range s.Clients {
		switch {
		case c.Name == name && c.Unmeshed:
			return ""
		case c.Name == name:
			return mesh.Identity(cmp.Or(c.ServiceAccount, c.Name), scenario.Namespace)
		}
	}
	if svc := s.Service(name); svc != nil {
		return mesh.Identity(cmp.Or(svc.Versions[svc.Baseline].ServiceAccount, svc.ServiceAccount, svc.Name), scenario.Namespace)
	}
	return ""
}

// Admits implements [gate.State]. Whoever asks, asks from within the cluster: the client has the address of the pod itself.
func (s *state) Admits(pod gate.Pod, c gate.Client) (bool, string) {
	if s.policies == nil {
		p, err := s.cluster.policies(s.ctx)
		if s.failed(err) {
			return false, err.Error()
		}
		s.policies = &p
	}
	p, ok := s.pods[pod.Name]
	if !ok {
		return false, "the pod is not there any more"
	}
	if !pod.Meshed {
		return true, "" // nobody stands before it
	}
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if s.failed(err) {
		return false, err.Error()
	}
	v := s.policies.Decide(workloadOf(&p), s.portOf(&p), mesh.Client{Identity: c.Identity, Addr: addr})
	return v.Allowed, v.Reason
}

// portOf is where a pod of a service listens.
func (s *state) portOf(p *corev1.Pod) int {
	name := deploymentOf(p)
	for i := range s.scenario.Services {
		if svc := &s.scenario.Services[i]; name == svc.Name || name == primaryOf(svc.Name) {
			return svc.TargetPort
		}
	}
	return 0
}

// How long a route may take to reach the proxies, and the pause between two looks.
const (
	propagationTimeout = 4 * time.Second
	drillPause         = 50 * time.Millisecond
	// cleanupTimeout is what taking the drill's route away may take when its caller has gone.
	cleanupTimeout = 10 * time.Second
)

// RollbackDrill implements [gate.State]: a route of the drill's own sends marked probes to the canary; then it is taken away, and they must
// reach the primary. Probes are sent by the traffic pods, with the identities and by the ways of users' requests.
func (s *state) RollbackDrill(service string, probes int) gate.Drill {
	d := gate.Drill{Probes: probes}
	ways, err := s.callPaths(service, probes)
	if err == nil {
		err = s.cluster.checkRouted(s.ctx, service)
	}
	if err == nil {
		err = s.forward(&d, service, ways)
	}
	if errGone := s.cleanUp(service); err == nil {
		err = errGone
	}
	if err == nil {
		err = s.back(&d, service, ways)
	}
	if err != nil && d.Denied == "" {
		d.Denied = err.Error()
	}
	return d
}

// forward sends probes to the canary.
func (s *state) forward(d *gate.Drill, service string, ways []client.CallPath) error {
	if err := s.cluster.addDrillRoute(s.ctx, service, drillHeader, drillForward); err != nil {
		return err
	}
	if err := s.until(service, service, ways); err != nil {
		return err
	}
	reached, denied := s.traffic.runProbes(s.ctx, service, ways)
	d.Forward, d.Denied = reached[service], denied
	return nil
}

// back sends the same probes when the route has gone.
func (s *state) back(d *gate.Drill, service string, ways []client.CallPath) error {
	if err := s.until(service, primaryOf(service), ways); err != nil {
		return err
	}
	reached, denied := s.traffic.runProbes(s.ctx, service, ways)
	d.Back, d.Denied = reached[primaryOf(service)], cmp.Or(d.Denied, denied)
	return nil
}

// until waits for the proxies to know of a change: until one probe on each way reaches a workload. Where it does not in good time the
// drill goes on, and tells how many do.
func (s *state) until(service, workload string, ways []client.CallPath) error {
	one := slices.Clone(ways)
	for i := range one {
		one[i].Probes = 1
	}
	ctx, cancel := context.WithTimeout(s.ctx, propagationTimeout)
	defer cancel()
	for {
		reached, _ := s.traffic.runProbes(ctx, service, one)
		if reached[workload] == len(one) {
			return nil
		}
		select {
		case <-time.After(drillPause):
		case <-ctx.Done():
			if s.ctx.Err() != nil {
				return errors.New("the webhook gave the drill no more time: let its timeout be 30s")
			}
			return nil
		}
	}
}

// cleanUp takes the drill's route away, even when the caller has gone.
func (s *state) cleanUp(service string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
	defer cancel()
	return s.cluster.removeDrillRoute(ctx, service)
}

// callPaths are how clients reach a service: by themselves, or through a service that calls it. Probes are dealt evenly to them.
func (s *state) callPaths(service string, probes int) ([]client.CallPath, error) {
	var ways []client.CallPath
	for _, caller := range s.scenario.Callers(service) {
		if w, ok := callPathOf(s.scenario, caller, service); ok {
			ways = append(ways, w)
		}
	}
	if len(ways) == 0 {
		return nil, errors.New("nobody calls " + service)
	}
	ways = ways[:min(len(ways), probes)]
	for n := range probes {
		ways[n%len(ways)].Probes++
	}
	return ways, nil
}

// callPathOf is how a caller's requests come to a service. The requests of a calling service begin at one of its clients.
func callPathOf(s *scenario.Scenario, caller, service string) (client.CallPath, bool) {
	isClient := func(name string) bool {
		return slices.ContainsFunc(s.Clients, func(c scenario.Client) bool { return c.Name == name })
	}
	if isClient(caller) {
		return client.CallPath{Client: caller, First: service}, true
	}
	for _, name := range s.Callers(caller) {
		if isClient(name) {
			return client.CallPath{Client: name, First: caller}, true
		}
	}
	return client.CallPath{}, false
}

// Canary implements [gate.State].
func (s *state) Canary(service, cohort string, window time.Duration) gate.Count {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	return s.traffic.recent.count(service, cohort, s.now().Add(-window))
}

// Approved implements [gate.State].
func (s *state) Approved() bool {
	at, ok := s.traffic.released()
	after := s.spec.ApproveAfter
	return ok && after >= 0 && !s.now().Before(at.Add(after))
}
