package kind

import (
	"fmt"
	"strings"
	"sync"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	appsv1 "k8s.io/api/apps/v1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/mesh/k8s"
	"coalmine/lab/scenario"
)

// Sources of facts, as in the sim: facts of one instant are ordered by source.
const (
	sourceFlagger = "a/flagger/" // followed by the canary
	sourceDriver  = "b/driver"
	sourceRun     = "c/run"
)

// observer tells in facts what watches see of the objects of a flight. It may be called from several goroutines.
type observer struct {
	// release is the service that is released: the phase of its canary is the run's.
	release string
	note    func(at time.Time, source string, f event.Fact)

	mu        sync.Mutex
	phase     string
	statuses  map[string]event.Canary
	routes    map[string]string
	workloads map[string]event.Workload
	cookies   workloads.AffinityCookies
}

func newObserver(release string, note func(time.Time, string, event.Fact)) *observer {
	return &observer{
		release: release, note: note,
		statuses: map[string]event.Canary{}, routes: map[string]string{}, workloads: map[string]event.Workload{},
	}
}

// Phase implements [lab.World].
func (o *observer) Phase() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase
}

// canarySource is the source of what is about a canary.
func canarySource(canary string) string { return sourceFlagger + canary + "." + scenario.Namespace }

// canary notes a canary's status when it differs from the one noted last.
func (o *observer) canary(c *flaggerv1.Canary, at time.Time) {
	status := workloads.CanaryFact(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	same := o.statuses[c.Name] == status
	o.statuses[c.Name] = status
	if status.Target == o.release {
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
	if c.Spec.TargetRef.Name == o.release {
		o.phase = ""
	}
	o.note(at, canarySource(c.Name), event.Deleted{ObjectKind: flaggerv1.CanaryKind, Namespace: c.Namespace, Name: c.Name})
}

// route notes how clients' proxies route, when it differs from what was noted last. Routes by which the desk tries something out
// concern nobody else.
func (o *observer) route(r *gatewayv1beta1.HTTPRoute, at time.Time) {
	if strings.HasSuffix(r.Name, names.DrillSuffix) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fact := workloads.RouteFact(k8s.Route(r), o.cookies)
	if words := fmt.Sprint(fact); o.routes[r.Name] != words {
		o.routes[r.Name] = words
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

// deployment notes the state of a Deployment when its replicas change.
func (o *observer) deployment(d *appsv1.Deployment, at time.Time) {
	fact := event.Workload{
		Name: d.Name, Version: versionOf(&d.Spec.Template), Desired: 1,
		Updated: int(d.Status.UpdatedReplicas), Ready: int(d.Status.ReadyReplicas),
	}
	if d.Spec.Replicas != nil {
		fact.Desired = int(*d.Spec.Replicas)
	}
	if d.Status.ObservedGeneration < d.Generation {
		return // the status is of a template or a number of replicas that is no more
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

// agentFact notes what the desk saw. Traffic and totals stand where the sim's do.
func (o *observer) agentFact(f client.Fact) error {
	fact, err := event.DecodeFact(f.Kind, f.Data)
	if err != nil {
		return fmt.Errorf("fact %d of the desk: %w", f.N, err)
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
