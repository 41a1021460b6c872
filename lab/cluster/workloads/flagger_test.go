package workloads_test

import (
	"strings"
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
)

func TestParseAlert(t *testing.T) {
	for name, c := range map[string]struct{ body, canary, severity, message string }{
		"slack": {`{"attachments":[{"color":"danger","author_name":"backend.develop","text":"Rolling back"}]}`,
			"backend.develop", "error", "Rolling back"},
		"discord": {`{"attachments":[{"color":"good","author_name":"backend.develop","text":"New revision"}]}`,
			"backend.develop", "info", "New revision"},
		"teams": {`{"themeColor":"FF0000","sections":[{"activityTitle":"Failed","activitySubtitle":"backend.develop"}]}`, "backend.develop", "error", "Failed"},
		"chat": {`{"cards":[{"header":{"subtitle":"backend.develop"},"sections":[{"widgets":[{"textParagraph":{"text":"<font color=#848484><strong>Done</strong></font>"}}]}]}]}`,
			"backend.develop", "info", "Done"},
		"json":       {`{"a":1}`, "", "info", `{"a":1}`},
		"not json":   {`hello`, "", "", "hello"},
		"empty card": {`{"cards":[{"sections":[]}]}`, "", "info", `{"cards":[{"sections":[]}]}`},
	} {
		canary, severity, message := workloads.ParseAlert([]byte(c.body))
		if canary != c.canary || severity != c.severity || message != c.message {
			t.Errorf("%s: %q %q %q", name, canary, severity, message)
		}
	}
}

func TestParseQuery(t *testing.T) {
	for _, c := range []struct {
		query, path string
		want        workloads.Query
	}{
		{expand(workloads.TagQuery("sum(x) \n", "errors")), "/api/v1/query",
			workloads.Query{PromQL: "sum(x)", Canary: "backend.develop", Metric: "errors"}},
		{"sum(x)", "/backend.develop/api/v1/query", workloads.Query{PromQL: "sum(x)", Canary: "backend.develop"}},
		{"sum(x)", "/api/v1/query", workloads.Query{PromQL: "sum(x)"}},
	} {
		if got := workloads.ParseQuery(c.query, c.path); got != c.want {
			t.Errorf("%q: %+v", c.query, got)
		}
	}
}

// Several checks may use one template with thresholds of their own.
func TestChecksOfOneTemplate(t *testing.T) {
	low, high := 99.0, 5.0
	c := &flaggerv1.Canary{Spec: flaggerv1.CanarySpec{Analysis: &flaggerv1.CanaryAnalysis{
		Metrics: []flaggerv1.CanaryMetric{
			{Name: "success", TemplateRef: &flaggerv1.CrossNamespaceObjectReference{Name: "ratio"},
				ThresholdRange: &flaggerv1.CanaryThresholdRange{Min: &low}},
			{Name: "own", Query: "sum(x)", Threshold: 7},
			{Name: "errors", TemplateRef: &flaggerv1.CrossNamespaceObjectReference{Name: "ratio"}, Threshold: high},
		}}}}
	seven := 7.0
	for _, x := range []struct {
		metric string
		before int
		want   event.Query
	}{
		{"ratio", 0, event.Query{Metric: "success", Min: &low}},
		{"ratio", 1, event.Query{Metric: "errors", Max: &high}},
		{"ratio", 2, event.Query{Metric: "success", Min: &low}}, // the next run
		{"own", 1, event.Query{Metric: "own", Max: &seven}},
		{"own", 0, event.Query{Metric: "own", Max: &seven}},
		{"", 0, event.Query{}},
	} {
		x.want.Asker, x.want.PromQL = "backend", "sum(x)"
		query := workloads.Query{PromQL: "sum(x)", Canary: "backend.develop", Metric: x.metric}
		if diff := cmp.Diff(x.want, query.Fact("backend", workloads.FindCheck(c, x.metric, x.before))); diff != "" {
			t.Error(diff)
		}
	}
	if workloads.FindCheck(nil, "ratio", 0) != nil {
		t.Error("FindCheck(nil, ...) is not nil")
	}
}

// expand fills in the canary's name, as Flagger does.
func expand(query string) string {
	return strings.NewReplacer("{{ name }}", "backend", "{{ namespace }}", "develop").Replace(query)
}
