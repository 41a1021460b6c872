package agent

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// meshWindow is the time over which effects of the mesh are counted. Flagger's steps are longer.
const meshWindow = 10 * time.Second

// meshCounters are the counters of the pods' proxies that say what retries, timeouts, rate limits and
// policy did. What circuit breakers and applications did is not in the proxies' series.
type meshCounters struct {
	// counts are the last values, by pod; until is when they were read, since the start of the run.
	counts map[string]meshCounts
	until  time.Duration
	// affected is set once there was anything but attempts.
	affected bool
}

// meshCounts counts by the Deployment that attempts were for. For requests that no pod got it is "",
// and the service is that of the request.
type meshCounts map[meshWorkload]event.MeshEffect

type meshWorkload struct{ service, workload string }

func (c meshCounts) add(w meshWorkload, e event.MeshEffect) { c[w] = c[w].Plus(e) }

// watchMesh records what the mesh did since the last call, once in a window.
func (a *Agent) watchMesh(ctx context.Context) error {
	start, running := a.traffic.started()
	if !running {
		return nil
	}
	return a.countMesh(ctx, a.now().Sub(start))
}

// countMesh is [Agent.watchMesh] at a time since the start of the run.
func (a *Agent) countMesh(ctx context.Context, now time.Duration) error {
	c := &a.meshCounters
	if c.counts != nil && now < c.until+meshWindow {
		return nil
	}
	list, err := a.cluster.Kube.CoreV1().Pods(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	counts, risen := map[string]meshCounts{}, meshCounts{}
	for i := range list.Items {
		p := &list.Items[i]
		if p.Status.PodIP == "" || !meshed(p) {
			continue
		}
		counted, err := a.readMeshCounts(ctx, p)
		if err != nil { // its pod starts or ends
			a.log.Debug("cannot read a proxy's counters", "pod", p.Name, "error", err)
			counted = c.counts[p.Name]
		}
		counts[p.Name] = counted
		for w, n := range counted {
			risen.add(w, increase(c.counts[p.Name][w], n))
		}
	}
	if c.counts != nil { // the first values are from before
		a.recordMesh(c.until, now, risen, list.Items)
	}
	c.counts, c.until = counts, now
	return nil
}

// started returns the start of the run, and whether traffic has started and not ended.
func (t *traffic) started() (time.Time, bool) {
	if !t.running() {
		return time.Time{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Unix(0, t.commands.Start.Zero), true
}

// increase returns by how much counts rose. A count that is derived from two counters may fall while
// a retry waits for its pause.
func increase(from, to event.MeshEffect) event.MeshEffect {
	return event.MeshEffect{
		Attempts: max(0, to.Attempts-from.Attempts), Retried: max(0, to.Retried-from.Retried),
		TimedOut: max(0, to.TimedOut-from.TimedOut), Limited: max(0, to.Limited-from.Limited),
		Denied: max(0, to.Denied-from.Denied),
	}
}

// recordMesh records what the proxies counted, from the first effect of the run on.
func (a *Agent) recordMesh(from, to time.Duration, counts meshCounts, pods []corev1.Pod) {
	m := event.Mesh{From: event.Seconds(from), To: event.Seconds(to), ByProxies: true}
	for w, e := range counts {
		a.meshCounters.affected = a.meshCounters.affected || e.Any()
		if e == (event.MeshEffect{}) {
			continue
		}
		e.Service, e.Workload, e.Version = w.service, w.workload, a.versionOfWorkload(w, pods)
		m.Cells = append(m.Cells, e)
	}
	slices.SortFunc(m.Cells, func(a, b event.MeshEffect) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Workload, b.Workload))
	})
	if a.meshCounters.affected && len(m.Cells) > 0 {
		a.record(a.now(), m)
	}
}

// versionOfWorkload returns the version of a Deployment's newest pod, by the scenario's name.
func (a *Agent) versionOfWorkload(w meshWorkload, pods []corev1.Pod) string {
	var newest *corev1.Pod
	for i := range pods {
		p := &pods[i]
		if w.workload != "" && deploymentOf(p) == w.workload &&
			(newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp)) {
			newest = p
		}
	}
	if newest == nil {
		return ""
	}
	return a.scenario.VersionOf(w.service, newest.Labels[workloads.LabelVersion], a.spec.Version, a.spec.Seed)
}

// readMeshCounts reads the counters of a pod's proxy: as a client of others, and as their server.
func (a *Agent) readMeshCounts(ctx context.Context, p *corev1.Pod) (meshCounts, error) {
	address := net.JoinHostPort(p.Status.PodIP, strconv.Itoa(a.proxies.port))
	families, err := a.proxies.read(ctx, "http://"+address+"/metrics")
	if err != nil {
		return nil, err
	}
	counts := meshCounts{}
	a.countAttempts(counts, families)
	a.countRetries(counts, families)
	for name, effect := range map[string]func(int) event.MeshEffect{
		"inbound_http_local_ratelimit_total": func(n int) event.MeshEffect { return event.MeshEffect{Limited: n} },
		"inbound_http_authz_deny_total":      func(n int) event.MeshEffect { return event.MeshEffect{Denied: n} },
		"inbound_http_route_not_found_total": func(n int) event.MeshEffect { return event.MeshEffect{Denied: n} },
	} {
		for _, m := range families[name].GetMetric() {
			if l := labelsOf(m); l["tls"] != "loopback" {
				counts.add(a.workload(deploymentOf(p)), effect(int(valueOf(m))))
			}
		}
	}
	return counts, nil
}

// countAttempts counts the requests that a client's proxy sent, by the Deployment of the pod.
func (a *Agent) countAttempts(counts meshCounts, families map[string]*dto.MetricFamily) {
	for _, m := range families["request_total"].GetMetric() {
		l := labelsOf(m)
		to := l["dst_deployment"]
		if l["direction"] == "outbound" && l["dst_namespace"] == scenario.Namespace && to != "" {
			counts.add(a.workload(to), event.MeshEffect{Attempts: int(valueOf(m))})
		}
	}
}

// countRetries counts the attempts that timeouts ended, and those that were sent again. A response that
// is sent again has a status and an error. The last attempt has no retry timeout, so one that such a
// timeout ended is sent again, too. The rest of a route's retries had no endpoint (linkerd2-proxy,
// linkerd/app/outbound/src/http/logical/policy/route/retry.rs).
func (a *Agent) countRetries(counts meshCounts, families map[string]*dto.MetricFamily) {
	known := map[string]int{} // retries by the Service that was called
	for _, m := range families["outbound_http_route_backend_response_statuses_total"].GetMetric() {
		l, n := labelsOf(m), int(valueOf(m))
		var e event.MeshEffect
		switch l["error"] {
		case mesh.ErrorUnknown:
			if l["http_status"] != "" {
				e.Retried = n
			}
		case mesh.ErrorResponseHeadersTimeout:
			e.Retried, e.TimedOut = n, n
		case mesh.ErrorRequestTimeout, mesh.ErrorResponseStreamTimeout:
			e.TimedOut = n
		}
		if e != (event.MeshEffect{}) && l["backend_namespace"] == scenario.Namespace {
			counts.add(a.backendWorkload(l["backend_name"]), e)
			known[l["parent_name"]] += e.Retried
		}
	}
	all := map[string]int{}
	for _, m := range families["outbound_http_route_retry_requests_total"].GetMetric() {
		if l := labelsOf(m); l["parent_namespace"] == scenario.Namespace {
			all[l["parent_name"]] += int(valueOf(m))
		}
	}
	for service, n := range all {
		if n > known[service] {
			counts.add(meshWorkload{service: service}, event.MeshEffect{Retried: n - known[service]})
		}
	}
}

// workload returns a Deployment with its service.
func (a *Agent) workload(deployment string) meshWorkload {
	if service := a.scenario.Release.Service; deployment == primaryOf(service) {
		return meshWorkload{service, deployment}
	}
	return meshWorkload{deployment, deployment}
}

// backendWorkload returns the Deployment behind a Service: Flagger makes the released one lead to the
// primary.
func (a *Agent) backendWorkload(name string) meshWorkload {
	service := a.scenario.Release.Service
	if name == service {
		name = primaryOf(service)
	}
	return a.workload(strings.TrimSuffix(name, "-canary"))
}
