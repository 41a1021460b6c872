package sim

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/loadtester"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// loadTesterHook answers one webhook of a canary in place of a load tester of Flagger, or of a server
// that the lab does not have. Like gates, it runs outside the bubble while virtual time stands still.
type loadTesterHook struct {
	w       *world
	canary  string
	webhook flaggerv1.CanaryWebhook
	hook    guardrail.Hook
}

// ServeHTTP answers the webhook and records the answer.
func (l loadTesterHook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, "the body cannot be read", http.StatusBadRequest)
		return
	}
	var payload flaggerv1.CanaryWebhookPayload
	if err := json.Unmarshal(body, &payload); err != nil {
		http.Error(rw, "the body is not a Flagger webhook payload", http.StatusBadRequest)
		return
	}
	a, reason := l.answer(r.URL.Path, body)
	rw.WriteHeader(a.Status)
	_, _ = io.WriteString(rw, a.Body)
	if l.webhook.Type == flaggerv1.EventHook {
		return // recorded as Flagger's own events
	}
	address := *l.hook.URL
	address.User = nil
	l.w.record(sourceFlagger+l.canary+"."+scenario.Namespace, event.Gate{
		Canary: l.canary, Name: gateName(a), Hook: string(cmp.Or(l.webhook.Type, flaggerv1.RolloutHook)),
		URL: address.String(), Phase: string(payload.Phase), Passed: a.Passed(), Status: a.Status, Reason: reason,
	})
}

func gateName(a loadtester.Answer) string {
	switch a.Kind {
	case loadtester.KindGate:
		return a.Name
	case loadtester.KindLoad:
		return event.GateLoadTest
	case loadtester.KindTask:
		return event.GateTask
	}
	return event.GateWebhook
}

// answer answers a call. A webhook that cannot be played passes; one that asks whether to roll back
// says no.
func (l loadTesterHook) answer(path string, body []byte) (a loadtester.Answer, reason string) {
	switch {
	case l.webhook.Type == flaggerv1.EventHook:
		return loadtester.Answer{Kind: loadtester.KindOther, Status: http.StatusOK}, ""
	case !l.hook.Tester:
		a = loadtester.Answer{Kind: loadtester.KindOther, Status: http.StatusOK}
		reason = l.hook.URL.Host + " is not called"
	default:
		s, unlock := l.w.loadTester.lock()
		a = s.Call(path, body)
		unlock()
		reason = a.Body
	}
	switch a.Kind {
	case loadtester.KindLoad:
		return a, l.start(a)
	case loadtester.KindTask:
		reason = a.Name + " task is not run"
	case loadtester.KindGate:
		return a, a.Body
	}
	if a.Status > http.StatusAccepted {
		return a, reason
	}
	if l.webhook.Type == flaggerv1.RollbackHook {
		a.Status, a.Body = http.StatusForbidden, "not played in the lab"
		return a, reason + ": taken as no reason to roll back"
	}
	return a, reason + ": taken as passed"
}

// start starts what a load test sends, and says so.
func (l loadTesterHook) start(a loadtester.Answer) string {
	if a.Err != nil {
		return "sends nothing: " + a.Err.Error()
	}
	t, unlock := l.w.traffic.lock()
	defer unlock()
	var tests []dataplane.LoadTest
	var text []string
	for _, load := range a.Loads {
		test := l.loadTest(t, load)
		tests = append(tests, test)
		text = append(text, load.String())
	}
	first := tests[0]
	first.Then = tests[1:]
	if !t.plane.StartLoad(first, l.w.clock.now()) {
		return "the load test still runs"
	}
	return "started " + strings.Join(text, ", then ")
}

// loadTest returns what the plane sends for a load. Flagger's load tester is in the mesh, with the
// default account of its namespace.
func (l loadTesterHook) loadTest(t *traffic, load loadtester.Load) dataplane.LoadTest {
	name, namespace, _ := strings.Cut(l.hook.URL.Hostname(), ".")
	namespace, _, _ = strings.Cut(namespace, ".")
	service, known := l.service(t, load.URL.Hostname())
	test := dataplane.LoadTest{
		Name: l.canary + " " + l.webhook.Name, Service: service, Method: load.Method,
		Path: cmp.Or(load.URL.RequestURI(), "/"), Workers: load.Workers, Rate: load.Rate, Duration: load.Duration,
		Requests: load.Requests,
		Client: dataplane.Client{Name: cmp.Or(name, "flagger-loadtester"),
			Namespace: cmp.Or(namespace, scenario.Namespace), ServiceAccount: "default"},
	}
	if known {
		test.Host = load.Host
	}
	for _, h := range load.Headers {
		test.Headers = append(test.Headers, mesh.Header{Name: h[0], Value: h[1]})
	}
	return test
}

// service returns the Service that a host stands for. A host that is not a Service of the lab, such as
// that of an ingress, stands for the canary's Service; known is false then.
func (l loadTesterHook) service(t *traffic, host string) (name string, known bool) {
	name, _, _ = strings.Cut(host, ".")
	if t.plane.HasService(name) {
		return name, true
	}
	target := name
	if c := l.w.findCanary(l.canary); c != nil {
		target = c.Spec.TargetRef.Name
	}
	for _, suffix := range []string{"-canary", "-primary"} {
		if strings.HasSuffix(name, suffix) {
			return target + suffix, true
		}
	}
	return target, false
}

// recordLoadTests records what load tests sent that have ended.
func (w *world) recordLoadTests(t *traffic) {
	for _, r := range t.plane.LoadResults() {
		canary, webhook, _ := strings.Cut(r.Name, " ")
		w.record(sourceDriver, event.LoadTest{Canary: canary, Webhook: webhook, Service: r.Service,
			From: event.Seconds(r.From), To: event.Seconds(r.To.Truncate(time.Microsecond)), Requests: r.Sent,
			Failed: r.Failed, OnCanary: r.Canary})
	}
}
