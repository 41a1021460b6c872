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

	"coalmine/lab/event"
	"coalmine/lab/evidence"
	"coalmine/lab/sim/prom"
	"coalmine/lab/stage"
	"coalmine/scenarios"
)

// Sources of facts. Facts of one instant are ordered by source; a source notes from one goroutine at a time.
const (
	sourceFlagger = "a/flagger/" // followed by the canary: Flagger works on each canary in one goroutine
	sourceDriver  = "b/driver"
	sourceRun     = "c/run"
)

// Event implements [flagger.Observer].
func (w *world) Event(canary, eventType, message string) {
	w.note(sourceFlagger+canary, event.Flagger{Canary: bare(canary), Type: eventType, Message: w.hosts.public(message)})
}

// Alert implements [flagger.Observer].
func (w *world) Alert(canary, severity, message string) {
	w.note(sourceFlagger+canary, event.Alert{Canary: bare(canary), Severity: severity, Message: w.hosts.public(message)})
}

// bare is a canary's name without the namespace, which is the same for all.
func bare(canary string) string { return evidence.Bare(canary, scenarios.Namespace) }

// asked notes a query of Flagger's.
func (w *world) asked(r *http.Request, a prom.Answer) {
	asked := evidence.ReadQuery(a.PromQL, r.URL.Path)
	if asked.PromQL == evidence.OnlineQuery {
		return
	}
	name := bare(asked.Canary)
	q := asked.Fact(name, evidence.CheckOf(w.canaryNamed(name), asked.Metric, w.repeated(asked.Canary, asked.Metric)))
	q.Value = a.Value
	if a.Err != nil {
		q.Error = a.Err.Error()
	}
	if errors.Is(a.Err, prom.ErrSpent) {
		w.fail(a.Err)
	}
	w.note(sourceFlagger+asked.Canary, q)
}

// repeated counts how often a canary asked for a metric before at this instant: Flagger asks for all of a tick at once.
func (w *world) repeated(canary, metric string) int {
	w.statusMu.Lock()
	defer w.statusMu.Unlock()
	if now := w.now.Load(); now != w.askedAt {
		w.askedAt, w.askedFor = now, map[string]int{}
	}
	key := canary + " " + metric
	w.askedFor[key]++
	return w.askedFor[key] - 1
}

// canaryNamed is a canary as the learner wrote it; nil where there is none of the name.
func (w *world) canaryNamed(name string) *flaggerv1.Canary {
	var targets []string
	for _, s := range w.flight.Scenario.Services {
		targets = append(targets, s.Name)
	}
	return evidence.CanaryNamed(w.flight.Guardrails, targets, name)
}

// alerts collects what Flagger posts to alert providers.
type alerts struct{ w *world }

// RoundTrip takes one message in any of the forms that Flagger's notifiers post (flagger, pkg/notifier).
func (a alerts) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	canary, severity, message := evidence.ReadAlert(body)
	provider, _, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/") // Discord's notifier appends a path
	a.w.note(sourceFlagger+canary, event.Alert{Canary: bare(canary), Provider: provider, Severity: severity, Message: a.w.hosts.public(message)})
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// watchObjects lets the fakes tell what changes: canary statuses are noted at once, everything else is marked for the driver.
// Reactors run in the goroutine of the caller, before the change is stored.
func (w *world) watchObjects() {
	w.flaggerClient.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.touch()
		switch a.GetResource().Resource {
		case "canaries":
			w.canaryChanged(a)
		case "httproutes":
			w.mark(a, &w.dirty.routes)
		}
		return false, nil, nil
	})
	w.kube.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w.touch()
		switch a.GetResource().Resource {
		case "deployments":
			w.mark(a, &w.dirty.deployments)
		case "services":
			w.mark(a, &w.dirty.services)
		}
		return false, nil, nil
	})
}

// mark notes that an action changes what the driver looks at, and calls it.
func (w *world) mark(a clienttesting.Action, dirty *atomic.Bool) {
	if !changes(a) {
		return
	}
	dirty.Store(true)
	select {
	case w.changed <- struct{}{}:
	default: // it was called already
	}
}

func changes(a clienttesting.Action) bool {
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
		w.note(sourceFlagger+name+"."+a.GetNamespace(), event.Deleted{ObjectKind: flaggerv1.CanaryKind, Namespace: a.GetNamespace(), Name: name})
	case "create", "update": // the actions of both have the same methods
		if c, ok := a.(clienttesting.UpdateAction).GetObject().(*flaggerv1.Canary); ok {
			w.noteStatus(c)
		}
	}
}

func (w *world) noteStatus(c *flaggerv1.Canary) {
	status := stage.Status(c)
	w.statusMu.Lock()
	same := w.statuses[c.Name] == status
	w.statuses[c.Name] = status
	if c.Spec.TargetRef.Name == w.flight.Scenario.Release.Service {
		w.phase = status.Phase
	}
	w.cookies.Learn(c)
	w.statusMu.Unlock()
	if !same && status.Phase != "" {
		w.note(sourceFlagger+c.Name+"."+scenarios.Namespace, status)
	}
}
