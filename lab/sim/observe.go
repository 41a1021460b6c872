package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/event"
	"coalmine/lab/sim/prom"
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
func bare(canary string) string { return strings.TrimSuffix(canary, "."+scenarios.Namespace) }

// asked notes a query of Flagger's.
func (w *world) asked(r *http.Request, a prom.Answer) {
	promQL, canary, metric := unmarked(a.PromQL)
	if canary == "" { // a query of Flagger's own, through the address given to the canary
		canary = strings.Trim(strings.TrimSuffix(r.URL.Path, "/api/v1/query"), "/")
	}
	if promQL == onlineQuery {
		return
	}
	q := event.Query{Asker: bare(canary), Metric: metric, PromQL: promQL, Value: a.Value}
	if m := w.metricOf(bare(canary), metric, w.repeated(canary, metric)); m != nil {
		q.Metric = m.Name
		if r := m.ThresholdRange; r != nil {
			q.Min, q.Max = r.Min, r.Max
		} else {
			q.Max = &m.Threshold // for templates and inline queries the deprecated threshold is a maximum
		}
	}
	if a.Err != nil {
		q.Error = a.Err.Error()
	}
	if errors.Is(a.Err, prom.ErrSpent) {
		w.fail(a.Err)
	}
	w.note(sourceFlagger+canary, q)
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

// metricOf finds the check of a canary that asks a metric template, or whose own query has a name; nil where none does. Where
// several checks ask one template, Flagger asks them in their order, and before tells how many were asked already.
func (w *world) metricOf(canary, metric string, before int) *flaggerv1.CanaryMetric {
	c := w.canaryNamed(canary)
	if c == nil || metric == "" {
		return nil
	}
	for i := range c.GetAnalysis().Metrics {
		m := &c.GetAnalysis().Metrics[i]
		if m.TemplateRef != nil && m.TemplateRef.Name == metric || m.Query != "" && m.Name == metric {
			if before == 0 {
				return m
			}
			before--
		}
	}
	return nil
}

// canaryNamed is a canary as the learner wrote it; nil where there is none of the name.
func (w *world) canaryNamed(name string) *flaggerv1.Canary {
	if w.flight.Guardrails == nil {
		return nil
	}
	for _, s := range w.flight.Scenario.Services {
		if c := w.flight.Guardrails.CanaryFor(s.Name); c != nil && c.Name == name {
			return c
		}
	}
	return nil
}

// onlineQuery is how Flagger asks whether Prometheus is there (flagger, pkg/metrics/providers/prometheus.go).
const onlineQuery = "vector(1)"

// alerts collects what Flagger posts to alert providers.
type alerts struct{ w *world }

// RoundTrip takes one message in any of the forms that Flagger's notifiers post (flagger, pkg/notifier).
func (a alerts) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	canary, severity, message := readAlert(body)
	provider, _, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/") // Discord's notifier appends a path
	a.w.note(sourceFlagger+canary, event.Alert{Canary: bare(canary), Provider: provider, Severity: severity, Message: a.w.hosts.public(message)})
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// readAlert finds workload, severity and text in the payloads of Slack, Rocket and Discord (attachments), Microsoft Teams
// (sections) and Google Chat (cards). Severities are lost but for "error" in the first two and altogether in the last.
func readAlert(body []byte) (canary, severity, message string) {
	var p struct {
		Attachments []struct {
			Color  string `json:"color"`
			Author string `json:"author_name"`
			Text   string `json:"text"`
		} `json:"attachments"`
		ThemeColor string `json:"themeColor"`
		Sections   []struct {
			Title    string `json:"activityTitle"`
			Subtitle string `json:"activitySubtitle"`
		} `json:"sections"`
		Cards []struct {
			Header   struct{ Subtitle string } `json:"header"`
			Sections []struct {
				Widgets []struct {
					Paragraph struct{ Text string } `json:"textParagraph"`
				} `json:"widgets"`
			} `json:"sections"`
		} `json:"cards"`
	}
	if json.Unmarshal(body, &p) != nil {
		return "", "", string(body)
	}
	severity = string(flaggerv1.SeverityInfo)
	switch {
	case len(p.Attachments) > 0:
		if p.Attachments[0].Color == "danger" {
			severity = string(flaggerv1.SeverityError)
		}
		return p.Attachments[0].Author, severity, p.Attachments[0].Text
	case len(p.Sections) > 0:
		if p.ThemeColor == "FF0000" {
			severity = string(flaggerv1.SeverityError)
		}
		return p.Sections[0].Subtitle, severity, p.Sections[0].Title
	case len(p.Cards) > 0 && len(p.Cards[0].Sections) > 0 && len(p.Cards[0].Sections[0].Widgets) > 0:
		text := p.Cards[0].Sections[0].Widgets[0].Paragraph.Text
		text = strings.TrimSuffix(strings.TrimPrefix(text, "<font color=#848484><strong>"), "</strong></font>")
		return p.Cards[0].Header.Subtitle, severity, text
	}
	return "", severity, string(body)
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
	status := event.Canary{
		Name: c.Name, Namespace: scenarios.Namespace, Target: c.Spec.TargetRef.Name, Phase: string(c.Status.Phase),
		Weight: c.Status.CanaryWeight, Iterations: c.Status.Iterations, FailedChecks: c.Status.FailedChecks,
		Threshold: c.GetAnalysisThreshold(), MaxIterations: c.GetAnalysis().Iterations,
	}
	w.statusMu.Lock()
	same := w.statuses[c.Name] == status
	w.statuses[c.Name] = status
	if c.Spec.TargetRef.Name == w.flight.Scenario.Release.Service {
		w.phase = status.Phase
	}
	for _, cookie := range []string{c.Status.SessionAffinityCookie, c.Status.PrimarySessionAffinityCookie} {
		if cookie != "" && !slices.Contains(w.cookies, cookie) {
			w.cookies = append(w.cookies, cookie)
		}
	}
	w.statusMu.Unlock()
	if !same && status.Phase != "" {
		w.note(sourceFlagger+c.Name+"."+scenarios.Namespace, status)
	}
}
