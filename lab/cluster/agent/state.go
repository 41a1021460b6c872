package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/gate"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// state implements [gate.State] for one call of a gate.
type state struct {
	*Agent
	ctx context.Context
	// policies are read on first use; pods are those that Pods returned, by name.
	policies *mesh.Policies
	pods     map[string]corev1.Pod
	// patience is how long the gate may wait for something.
	patience time.Duration
}

// Pods implements [gate.State].
func (s *state) Pods(service string) ([]gate.Pod, error) {
	canaries, primaries, err := s.cluster.pods(s.ctx, service)
	if err != nil {
		return nil, err
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
	return list, nil
}

// Peers implements [gate.State]. It asks the pods' proxies and not Prometheus, whose samples are up
// to a scrape interval old: it would miss a client that called since.
func (s *state) Peers(service string) ([]gate.Peer, error) {
	canaries, _, err := s.cluster.pods(s.ctx, service)
	if err != nil {
		return nil, err
	}
	var peers []gate.Peer
	for _, p := range canaries {
		if !meshed(&p) {
			continue
		}
		identities, err := s.proxies.clients(s.ctx, p.Status.PodIP, s.scenario.Service(service).TargetPort)
		if err != nil && !s.podExists(service, p.Name) {
			continue // the pod was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, identity := range identities {
			peers = append(peers, gate.Peer{Pod: p.Name, Identity: identity})
		}
	}
	return peers, nil
}

// podExists reports whether a canary pod is still ready. It reports true if that cannot be found
// out.
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

// identityOf returns a caller's mesh identity, "" if it is unmeshed. The caller is a client
// workload or a service at its baseline version.
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
		return mesh.Identity(cmp.Or(svc.Versions[svc.Baseline].ServiceAccount, svc.ServiceAccount, svc.Name),
			scenario.Namespace)
	}
	return ""
}

// Admits implements [gate.State]. Clients call from inside the cluster, so the client's address is
// taken to be the pod's own.
func (s *state) Admits(pod gate.Pod, c gate.Client) (bool, string, error) {
	if !pod.Meshed {
		return true, "", nil // there is no proxy to deny anything
	}
	if s.policies == nil {
		p, err := s.cluster.policies(s.ctx)
		if err != nil {
			return false, "", err
		}
		s.policies = &p
	}
	p, ok := s.pods[pod.Name]
	if !ok {
		return false, "", fmt.Errorf("pod %s was not listed", pod.Name)
	}
	addr, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil {
		return false, "", fmt.Errorf("the address of pod %s: %w", pod.Name, err)
	}
	ok, reason := s.admits(&p, mesh.Client{Identity: c.Identity, Addr: addr}, c.Name == "")
	return ok, reason, nil
}

// admits reports whether a pod admits a client for every kind of request in the traffic, as a route of
// a Server may be open to others than the Server is. A stranger is admitted if it is for any of them.
// The reason says why a client is denied.
func (s *state) admits(p *corev1.Pod, c mesh.Client, stranger bool) (ok bool, reason string) {
	for _, r := range s.scenario.Traffic.Routes {
		path, _, _ := strings.Cut(placeholders().Replace(r.Path), "?")
		v := s.policies.Probe(workloadOf(p), s.portOf(p), c, cmp.Or(r.Method, http.MethodGet), path)
		if v.Allowed == stranger {
			return v.Allowed, v.Reason
		}
		reason = cmp.Or(reason, v.Reason)
	}
	return !stranger, reason
}

// placeholders are those of paths, with values that occur.
func placeholders() *strings.Replacer { return strings.NewReplacer("{item}", "1", "{user}", "1") }

// portOf returns the port that a service's pods listen on.
func (s *state) portOf(p *corev1.Pod) int {
	name := deploymentOf(p)
	for i := range s.scenario.Services {
		if svc := &s.scenario.Services[i]; name == svc.Name || name == primaryOf(svc.Name) {
			return svc.TargetPort
		}
	}
	return 0
}

// propagationTimeout is how long a route may take to reach the proxies, drillPause the time between
// two checks.
const (
	propagationTimeout = 4 * time.Second
	drillPause         = 100 * time.Millisecond
	// probesThrough is how many probes a traffic pod sends by way of another service, so that they
	// come through all of its pods.
	probesThrough = 4
	// cleanupTimeout bounds the deletion of the drill's route after the caller has gone.
	cleanupTimeout = 10 * time.Second
)

// RollbackDrill implements [gate.State]. A temporary route sends marked probes to the canary; then
// it is deleted, and the probes must reach the primary. The traffic pods send the probes, with the
// identities and on the paths of users' requests.
func (s *state) RollbackDrill(service string, probes int) (gate.Drill, error) {
	d := gate.Drill{Probes: probes}
	paths, err := s.callPaths(service, probes)
	if err == nil {
		err = s.cluster.checkRouted(s.ctx, service)
	}
	if err == nil {
		err = s.forward(&d, service, paths)
	}
	if cleanUpErr := s.cleanUp(service); err == nil {
		err = cleanUpErr
	}
	if err == nil {
		err = s.back(&d, service, paths)
	}
	var hindrance drillError
	if errors.As(err, &hindrance) {
		d.Denied, err = cmp.Or(d.Denied, err.Error()), nil
	}
	return d, err
}

// drillError says why a drill is impossible though the lab works.
type drillError string

func (e drillError) Error() string { return string(e) }

// forward sends probes to the canary, once the proxies of all clients know it or the time is over.
func (s *state) forward(d *gate.Drill, service string, paths []client.CallPath) error {
	if err := s.cluster.addDrillRoute(s.ctx, service, drillHeader, drillForward); err != nil {
		return err
	}
	started := s.now()
	last, err := s.until(service, service, paths, max(propagationTimeout, s.patience))
	if err != nil {
		return err
	}
	if waited := s.now().Sub(started); waited > propagationTimeout {
		d.Waited = waited.Round(time.Second)
	}
	if last.unserved > 0 && last.reached[service]+last.unserved == last.sent {
		d.Late, _, _ = strings.Cut(last.denied, " ")
		d.Waited = s.now().Sub(started).Round(time.Second)
		return nil
	}
	got := s.traffic.runProbes(s.ctx, service, paths, false)
	d.Forward, d.Denied = got.reached[service], got.denied
	return nil
}

// back sends the same probes after the route was deleted.
func (s *state) back(d *gate.Drill, service string, paths []client.CallPath) error {
	if _, err := s.until(service, primaryOf(service), paths, propagationTimeout); err != nil || d.Late != "" {
		return err
	}
	got := s.traffic.runProbes(s.ctx, service, paths, false)
	d.Back, d.Denied = got.reached[primaryOf(service)], cmp.Or(d.Denied, got.denied)
	return nil
}

// until waits until the proxies have a change: until the probes of every traffic pod reach a workload.
// If that takes longer than a limit, the drill continues and counts how many do. It returns what came
// of the last probes.
func (s *state) until(service, workload string, paths []client.CallPath, limit time.Duration) (probeCounts, error) {
	few := slices.Clone(paths)
	for i := range few {
		few[i].Probes = 1
		if few[i].First != service {
			few[i].Probes = probesThrough
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	var last probeCounts
	for {
		got := s.traffic.runProbes(ctx, service, few, true)
		if got.reached[workload] == got.sent {
			return got, nil
		}
		if got.complete {
			last = got
		}
		if backoff.Sleep(ctx, drillPause) != nil {
			if s.ctx.Err() != nil {
				return last, drillError("the webhook timed out during the drill: set its timeout to 90s")
			}
			return last, nil
		}
	}
}

// cleanUp deletes the drill's route, even if the caller has gone.
func (s *state) cleanUp(service string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cleanupTimeout)
	defer cancel()
	return s.cluster.removeDrillRoute(ctx, service)
}

// callPaths returns how clients reach a service, directly or through a service that calls it. The
// probes are divided evenly among them.
func (s *state) callPaths(service string, probes int) ([]client.CallPath, error) {
	var paths []client.CallPath
	for _, caller := range s.scenario.Callers(service) {
		if w, ok := callPathOf(s.scenario, caller, service); ok {
			paths = append(paths, w)
		}
	}
	if len(paths) == 0 {
		return nil, drillError("no client calls " + service)
	}
	paths = paths[:min(len(paths), probes)]
	for n := range probes {
		paths[n%len(paths)].Probes++
	}
	return paths, nil
}

// callPathOf returns how the requests of a caller reach a service. Those of a calling service start
// at one of its clients.
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
