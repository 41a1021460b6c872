package kind

import (
	"fmt"
	"strings"
	"sync"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	appsv1 "k8s.io/api/apps/v1"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/mesh/k8s"
	"coalmine/lab/scenario"
)

// Sources of facts, as in the sim: facts of the same instant are ordered by source.
const (
	sourceFlagger = "a/flagger/" // followed by the canary
	sourceDriver  = "b/driver"
	sourceRun     = "c/run"
)

// observer turns watch events of a run's objects into facts. It is safe for concurrent use.
type observer struct {
	spec cluster.RunSpec
	note func(at time.Time, source string, f event.Fact)

	mu        sync.Mutex
	phase     string
	statuses  map[string]event.Canary
	routes    map[string]string
	workloads map[string]event.Workload
	cookies   workloads.AffinityCookies
}

func newObserver(f cluster.RunSpec, note func(time.Time, string, event.Fact)) *observer {
	return &observer{
		spec: f, note: note,
		statuses: map[string]event.Canary{}, routes: map[string]string{}, workloads: map[string]event.Workload{},
	}
}

// Phase implements [cluster.World].
func (o *observer) Phase() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase
}

// canarySource returns the source of facts about a canary.
func canarySource(canary string) string { return sourceFlagger + canary + "." + scenario.Namespace }

// canary notes a canary's status if it changed.
func (o *observer) canary(c *flaggerv1.Canary, at time.Time) {
	status := workloads.CanaryFact(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	same := o.statuses[c.Name] == status
	o.statuses[c.Name] = status
	if status.Target == o.spec.Scenario.Release.Service { // the run's phase is that of its canary
		o.phase = status.Phase
	}
	o.cookies.Add(c)
	if !same && status.Phase != "" {
		o.note(at, canarySource(c.Name), status)
	}
}

func (o *observer) canaryGone(c *flaggerv1.Canary, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.statuses, c.Name)
	if c.Spec.TargetRef.Name == o.spec.Scenario.Release.Service {
		o.phase = ""
	}
	o.note(at, canarySource(c.Name), event.Deleted{ObjectKind: flaggerv1.CanaryKind, Namespace: c.Namespace,
		Name: c.Name})
}

// route notes how clients' proxies route, if that changed. Routes of rollback drills do not count.
func (o *observer) route(r *gatewayv1beta1.HTTPRoute, at time.Time) {
	if strings.HasSuffix(r.Name, names.DrillSuffix) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fact := workloads.RouteFact(k8s.Route(k8s.Upgrade(r)), o.cookies)
	if text := fmt.Sprint(fact); o.routes[r.Name] != text {
		o.routes[r.Name] = text
		o.note(at, sourceDriver, fact)
	}
}

func (o *observer) routeGone(r *gatewayv1beta1.HTTPRoute, at time.Time) {
	if strings.HasSuffix(r.Name, names.DrillSuffix) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.routes, r.Name)
	o.note(at, sourceDriver, event.Deleted{ObjectKind: "HTTPRoute", Namespace: r.Namespace, Name: r.Name})
}

// deployment notes the state of a Deployment if its replicas changed.
func (o *observer) deployment(d *appsv1.Deployment, at time.Time) {
	fact := event.Workload{
		Name: d.Name, Version: versionOf(o.spec, &d.Spec.Template.Spec), Desired: 1,
		Updated: int(d.Status.UpdatedReplicas), Ready: int(d.Status.ReadyReplicas),
	}
	if d.Spec.Replicas != nil {
		fact.Desired = int(*d.Spec.Replicas)
	}
	if d.Status.ObservedGeneration < d.Generation {
		return // the status is of an earlier template or number of replicas
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.workloads[d.Name] != fact {
		o.workloads[d.Name] = fact
		o.note(at, sourceDriver, fact)
	}
}

func (o *observer) deploymentGone(d *appsv1.Deployment, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.workloads, d.Name)
	o.note(at, sourceDriver, event.Deleted{ObjectKind: "Deployment", Namespace: d.Namespace, Name: d.Name})
}

// agentFact notes a fact of the agent. Traffic and totals have the same sources as in the sim.
func (o *observer) agentFact(f client.Fact) error {
	fact, err := event.DecodeFact(f.Kind, f.Data)
	if err != nil {
		return fmt.Errorf("fact %d of the agent: %w", f.N, err)
	}
	o.note(time.Unix(0, f.At), agentSource(fact), fact)
	return nil
}

func agentSource(f event.Fact) string {
	switch f := f.(type) {
	case event.Flagger:
		return canarySource(f.Canary)
	case event.Query:
		return canarySource(f.Asker)
	case event.Gate:
		return canarySource(f.Canary)
	case event.RollbackDrill:
		return canarySource(f.Canary)
	case event.Alert:
		return canarySource(f.Canary)
	case event.TrafficTotals:
		return sourceRun
	}
	return sourceDriver
}
