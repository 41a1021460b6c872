package kind

import (
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"coalmine/lab/event"
)

// hooked is a Canary with webhooks of all kinds.
func hooked() *flaggerv1.Canary {
	task := func(kind, command string) *map[string]string {
		return &map[string]string{"type": kind, "cmd": command}
	}
	const url = "http://flagger-loadtester.test/"
	canary := &flaggerv1.Canary{Spec: flaggerv1.CanarySpec{Analysis: &flaggerv1.CanaryAnalysis{
		Webhooks: []flaggerv1.CanaryWebhook{
			{Name: "ours", URL: "http://gate.coalmine/volume?min=1"},
			{Name: "load", URL: "https://user@flagger-loadtester.test:8443/x?y=1",
				Metadata: task("cmd", "hey http://a/")},
			{Name: "custom", URL: url, Metadata: task("cmd", "ghz $ADDRESS")},
			{Name: "smoke", Type: "pre-rollout", URL: url, Metadata: task("bash", "curl -sf http://a/")},
			{Name: "body", Type: "pre-rollout", URL: url, Metadata: task("bash", "curl -s http://a/ | grep b")},
			{Name: "release", Type: "pre-rollout", URL: url, Metadata: task("helm", "test a")},
			{Name: "person", Type: "confirm-promotion", URL: url + "gate/check"},
			{Name: "back", Type: "rollback", URL: url + "rollback/check"},
			{Name: "elsewhere", URL: "https://tests.example.com/"},
			{Name: "feed", Type: "event", URL: "https://hooks.example.com/"},
		}}}}
	canary.Name = "backend"
	return canary
}

// adapted returns the URLs of the webhooks that are left, by name, and the facts, as reasons and URLs
// by name.
func adapted(canary *flaggerv1.Canary, tester loadTester) (urls, notes map[string]string) {
	everywhere := []event.LeftOut{
		{What: event.LeftOutCheck, Name: "check", Reason: "vendor"},
		{What: event.LeftOutWebhook, Name: "custom", Reason: "not understood"},
		{What: event.LeftOutWebhook, Name: "smoke", Reason: "not run"},
		{What: event.LeftOutWebhook, Name: "body", Reason: "not run"},
	}
	urls, notes = map[string]string{}, map[string]string{}
	for _, f := range adapt(canary, everywhere, tester) {
		switch f := f.(type) {
		case event.LeftOut:
			notes[f.Name] = f.Reason
		case event.LoadTester:
			notes[f.Webhook] = "answered at " + f.URL
		}
	}
	for _, w := range canary.Spec.Analysis.Webhooks {
		urls[w.Name] = w.URL
	}
	return urls, notes
}

// TestWithoutLoadTester expects what a load tester would run to be left out, for the reason that it has
// on every cluster, or else that of this one, and a gate of the lab in place of its gates.
func TestWithoutLoadTester(t *testing.T) {
	urls, notes := adapted(hooked(), loadTester{why: "no image"})
	if diff := cmp.Diff(map[string]string{
		"ours": "http://gate.coalmine/volume?min=1", "person": "http://gate.coalmine/approve",
	}, urls); diff != "" {
		t.Error(diff)
	}
	const none = "the kind cluster has no load tester: no image"
	if diff := cmp.Diff(map[string]string{
		"check": "vendor", "custom": "not understood", "smoke": "not run", "body": "not run",
		"load":    none + ", and the webhook is taken as passed",
		"release": "the lab cannot run its helm task, and the webhook is taken as passed",
		"person":  none + "; the lab's gate approve answers", "back": none + ", and the webhook is taken as passed",
		"elsewhere": "tests.example.com is not in the lab, and the webhook is taken as passed",
	}, notes); diff != "" {
		t.Error(diff)
	}
}

// TestWithLoadTester expects what the load tester can do as for the user to call it, at its own path.
func TestWithLoadTester(t *testing.T) {
	urls, notes := adapted(hooked(), loadTester{ready: true})
	const url = "http://flagger-loadtester.coalmine/"
	if diff := cmp.Diff(map[string]string{
		"ours": "http://gate.coalmine/volume?min=1", "load": url + "x?y=1", "custom": url, "smoke": url,
		"person": url + "gate/check", "back": url + "rollback/check",
	}, urls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{
		"check": "vendor", "load": "answered at " + url + "x?y=1", "custom": "answered at " + url,
		"smoke": "answered at " + url, "person": "answered at " + url + "gate/check",
		"back": "answered at " + url + "rollback/check", "body": "not run",
		"release":   "the lab cannot run its helm task, and the webhook is taken as passed",
		"elsewhere": "tests.example.com is not in the lab, and the webhook is taken as passed",
	}, notes); diff != "" {
		t.Error(diff)
	}
}

func TestAdaptAutoscaler(t *testing.T) {
	if left := adapt(&autoscalingv2.HorizontalPodAutoscaler{}, nil, loadTester{}); len(left) != 1 {
		t.Errorf("got %+v for an autoscaler", left)
	}
}
