package sim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
)

// Sources of facts. Facts of one instant are ordered by source; a source notes from one goroutine at a time.
const (
	sourceFlagger = "a/flagger/" // followed by the canary: Flagger works on each canary in one goroutine
	sourceDriver  = "b/driver"
	sourceRun     = "c/run"
)

// Event implements [flagger.Observer].
func (w *world) Event(canary, eventType, message string) {
	w.record(sourceFlagger+canary, event.Flagger{Canary: canaryName(canary), Type: eventType, Message: w.hosts.canonical(message)})
}

// Alert implements [flagger.Observer].
func (w *world) Alert(canary, severity, message string) {
	w.record(sourceFlagger+canary, event.Alert{Canary: canaryName(canary), Severity: severity, Message: w.hosts.canonical(message)})
}

// canaryName is a canary's name without the namespace, which is the same for all.
func canaryName(canary string) string { return workloads.TrimNamespace(canary, scenario.Namespace) }

// recordQuery notes a query of Flagger's.
func (w *world) recordQuery(r *http.Request, a prom.QueryResult) {
	asked := workloads.ParseQuery(a.PromQL, r.URL.Path)
	if asked.PromQL == workloads.OnlineQuery {
		return
	}
	name := canaryName(asked.Canary)
	q := asked.Fact(name, workloads.FindCheck(w.findCanary(name), asked.Metric, w.priorQueries(asked.Canary, asked.Metric)))
	q.Value = a.Value
	if a.Err != nil {
		q.Error = a.Err.Error()
	}
	if errors.Is(a.Err, prom.ErrQueryBudget) {
		w.fail(a.Err)
	}
	w.record(sourceFlagger+asked.Canary, q)
}

// priorQueries counts how often a canary asked for a metric before at this instant: Flagger asks for all of a tick at once.
func (w *world) priorQueries(canary, metric string) int {
	w.statusMu.Lock()
	defer w.statusMu.Unlock()
	if now := w.published.Load(); now != w.queriesAt {
		w.queriesAt, w.queryCounts = now, map[string]int{}
	}
	key := canary + " " + metric
	w.queryCounts[key]++
	return w.queryCounts[key] - 1
}

// findCanary is a canary as the learner wrote it; nil where there is none of the name.
func (w *world) findCanary(name string) *flaggerv1.Canary {
	var targets []string
	for _, s := range w.spec.Scenario.Services {
		targets = append(targets, s.Name)
	}
	return workloads.FindCanary(w.spec.Guardrails, targets, name)
}

// alertSink collects what Flagger posts to alert providers.
type alertSink struct{ w *world }

// RoundTrip takes one message in any of the forms that Flagger's notifiers post (flagger, pkg/notifier).
func (a alertSink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	canary, severity, message := workloads.ParseAlert(body)
	provider, _, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/") // Discord's notifier appends a path
	a.w.record(sourceFlagger+canary, event.Alert{Canary: canaryName(canary), Provider: provider, Severity: severity, Message: a.w.hosts.canonical(message)})
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// watchObjects lets the fakes tell what changes: canary statuses are noted at once, everything else is marked for the driver.
// Reactors run in the goroutine of the caller, before the change is stored.
func (w *world) watchObjects() {
	w.flaggerClient.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.publishTime()
		switch a.GetResource().Resource {
		case "canaries":
			w.canaryChanged(a)
		case "httproutes":
			w.markDirty(a, &w.dirty.routes)
		}
		return false, nil, nil
	})
	w.kube.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.publishTime()
		switch a.GetResource().Resource {
		case "deployments":
			w.markDirty(a, &w.dirty.deployments)
		case "services":
			w.markDirty(a, &w.dirty.services)
		}
		return false, nil, nil
	})
}

// markDirty notes that an action changes what the driver looks at, and calls it.
func (w *world) markDirty(a clienttesting.Action, dirty *atomic.Bool) {
	if !isWrite(a) {
		return
	}
	dirty.Store(true)
	select {
	case w.wake <- struct{}{}:
	default: // it was called already
	}
}

func isWrite(a clienttesting.Action) bool {
	switch a.GetVerb() {
	case "create", "update", "patch", "delete":
		return true
	}
	return false
}

// canaryChanged notes a canary's status when it differs from the one noted last.
func (w *world) canaryChanged(a clienttesting.Action) {
	switch a.GetVerb() {
	case "delete":
		name := a.(clienttesting.DeleteAction).GetName()
		w.record(sourceFlagger+name+"."+a.GetNamespace(), event.Deleted{ObjectKind: flaggerv1.CanaryKind, Namespace: a.GetNamespace(), Name: name})
	case "create", "update": // the actions of both have the same methods
		if c, ok := a.(clienttesting.UpdateAction).GetObject().(*flaggerv1.Canary); ok {
			w.recordStatus(c)
		}
	}
}

func (w *world) recordStatus(c *flaggerv1.Canary) {
	status := workloads.CanaryFact(c)
	w.statusMu.Lock()
	same := w.statuses[c.Name] == status
	w.statuses[c.Name] = status
	if c.Spec.TargetRef.Name == w.spec.Scenario.Release.Service {
		w.phase = status.Phase
	}
	w.cookies.Add(c)
	w.statusMu.Unlock()
	if !same && status.Phase != "" {
		w.record(sourceFlagger+c.Name+"."+scenario.Namespace, status)
	}
}
