package sim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
)

// Sources of facts. Simultaneous facts are ordered by source. Each source is used by one goroutine
// at a time.
const (
	sourceFlagger = "a/flagger/" // plus the canary: Flagger works on each canary in one goroutine
	sourceDriver  = "b/driver"
	sourceRun     = "c/run"
)

// canaries is what was last seen of the Canary objects.
type canaries struct {
	statuses map[string]event.Canary
	// phase is that of the released service's canary.
	phase   string
	cookies workloads.AffinityCookies
}

// routeState is what the driver knows of HTTPRoutes.
type routeState struct {
	// created has when each of Flagger's was created, by name.
	created map[string]time.Duration
	// users are those of guardrails and scenario, with the time when they were applied.
	users []*gatewayv1.HTTPRoute
}

// queries counts the queries made at one instant, by canary and metric.
type queries struct {
	at     time.Duration
	counts map[string]int
}

// changes are the kinds of objects that have changed since the driver last looked.
type changes struct {
	deployments, services, routes, policies atomic.Bool
	// wake wakes the driver. It has room for one value.
	wake chan struct{}
}

// Event implements [flagger.Observer].
func (w *world) Event(canary, eventType, message string) {
	w.finishGate(sourceFlagger + canary)
	w.record(sourceFlagger+canary, event.Flagger{Canary: canaryName(canary), Type: eventType,
		Message: w.hosts.canonical(message)})
}

// Alert implements [flagger.Observer].
func (w *world) Alert(canary, severity, message string) {
	w.record(sourceFlagger+canary, event.Alert{Canary: canaryName(canary), Severity: severity,
		Message: w.hosts.canonical(message)})
}

// canaryName returns a canary's name without its namespace, which is the same for all.
func canaryName(canary string) string { return workloads.TrimNamespace(canary, scenario.Namespace) }

// recordQuery records a query of Flagger.
func (w *world) recordQuery(r *http.Request, result prom.QueryResult) {
	query := workloads.ParseQuery(result.PromQL, r.URL.Path)
	if query.PromQL == workloads.OnlineQuery {
		return
	}
	name := canaryName(query.Canary)
	fact := query.Fact(name, workloads.FindCheck(w.findCanary(name), query.Metric,
		w.priorQueries(query.Canary, query.Metric)))
	fact.Value = result.Value
	if result.Err != nil {
		fact.Error = result.Err.Error()
	}
	if errors.Is(result.Err, prom.ErrQueryBudget) {
		w.fail(result.Err)
	}
	w.record(sourceFlagger+query.Canary, fact)
}

// priorQueries returns how often a canary queried a metric before at this instant. Flagger makes
// all queries of a tick at one instant.
func (w *world) priorQueries(canary, metric string) int {
	q, unlock := w.queries.lock()
	defer unlock()
	if now := w.clock.now(); q.counts == nil || now != q.at {
		q.at, q.counts = now, map[string]int{}
	}
	key := canary + " " + metric
	q.counts[key]++
	return q.counts[key] - 1
}

// findCanary returns the canary with a name as the user wrote it, or nil.
func (w *world) findCanary(name string) *flaggerv1.Canary {
	var targets []string
	for _, s := range w.spec.Scenario.Services {
		targets = append(targets, s.Name)
	}
	return workloads.FindCanary(w.spec.Guardrails, targets, name)
}

// alertSink records the alerts that Flagger posts to alert providers.
type alertSink struct{ w *world }

// RoundTrip accepts an alert in any format of Flagger's notifiers (flagger, pkg/notifier).
func (a alertSink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	canary, severity, message := workloads.ParseAlert(body)
	provider, _, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/") // Discord's notifier appends a path
	a.w.record(sourceFlagger+canary, event.Alert{Canary: canaryName(canary), Provider: provider, Severity: severity,
		Message: a.w.hosts.canonical(message)})
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// watchObjects records changes of canaries and marks other changes for the driver. Reactors of the
// fakes run in the goroutine of the caller, before the change is stored.
func (w *world) watchObjects() {
	w.flaggerClient.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.clock.publish()
		switch a.GetResource().Resource {
		case "canaries":
			w.canaryChanged(a)
		case "httproutes":
			w.routeCreated(a)
			w.changes.mark(a, &w.changes.routes)
		}
		return false, nil, nil
	})
	w.kube.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.clock.publish()
		switch a.GetResource().Resource {
		case "deployments":
			w.changes.mark(a, &w.changes.deployments)
		case "services":
			w.changes.mark(a, &w.changes.services)
		}
		return false, nil, nil
	})
}

// routeCreated remembers when a route was created: of equal routes, proxies follow the oldest.
func (w *world) routeCreated(a clienttesting.Action) {
	create, ok := a.(clienttesting.CreateAction)
	if !ok || a.GetVerb() != "create" {
		return
	}
	if route, ok := create.GetObject().(*gatewayv1beta1.HTTPRoute); ok {
		state, unlock := w.routeState.lock()
		defer unlock()
		state.created[route.Name] = w.clock.now()
	}
}

// mark marks a kind of object as changed if an action writes, and wakes the driver.
func (c *changes) mark(a clienttesting.Action, kind *atomic.Bool) {
	if isWrite(a) {
		c.set(kind)
	}
}

// set marks a kind of object as changed, and wakes the driver.
func (c *changes) set(kind *atomic.Bool) {
	kind.Store(true)
	select {
	case c.wake <- struct{}{}:
	default: // woken already
	}
}

func isWrite(a clienttesting.Action) bool {
	switch a.GetVerb() {
	case "create", "update", "patch", "delete":
		return true
	}
	return false
}

// canaryChanged records a canary's status, if it differs from the last one, or its deletion.
func (w *world) canaryChanged(a clienttesting.Action) {
	switch a.GetVerb() {
	case "delete":
		name := a.(clienttesting.DeleteAction).GetName()
		w.record(sourceFlagger+name+"."+a.GetNamespace(),
			event.Deleted{ObjectKind: flaggerv1.CanaryKind, Namespace: a.GetNamespace(), Name: name})
	case "create", "update": // both have the methods of UpdateAction
		if c, ok := a.(clienttesting.UpdateAction).GetObject().(*flaggerv1.Canary); ok {
			w.recordStatus(c)
		}
	}
}

func (w *world) recordStatus(c *flaggerv1.Canary) {
	status := workloads.CanaryFact(c)
	known, unlock := w.canaries.lock()
	same := known.statuses[c.Name] == status
	known.statuses[c.Name] = status
	if c.Spec.TargetRef.Name == w.spec.Scenario.Release.Service {
		known.phase = status.Phase
	}
	known.cookies.Add(c)
	unlock()
	if !same && status.Phase != "" {
		w.record(sourceFlagger+c.Name+"."+scenario.Namespace, status)
	}
}
