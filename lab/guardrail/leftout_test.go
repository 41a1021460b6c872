package guardrail

import (
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
)

const twoTemplates = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, port: 80}]
  analysis:
    interval: 30s
    threshold: 2
    stepWeights: [50]
    metrics:
      - {name: p99, templateRef: {name: p99}, thresholdRange: {max: 1}}
      - {name: errors, templateRef: {name: errors}, thresholdRange: {max: 1}}
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: p99}
spec:
  provider: {type: datadog, address: "https://api.datadoghq.com", secretRef: {name: datadog}}
  query: "p99:shop.latency{service:{{ target }}} by {pod}"
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors}
spec:
  provider: {type: prometheus, address: "https://thanos.example.com"}
  query: sum(rate(response_total{classification="failure"}[1m]))
`

func TestVendorsAreLeftOut(t *testing.T) {
	set, err := Parse(map[string][]byte{"all.yaml": []byte(twoTemplates)}, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Notes) != 2 {
		t.Errorf("got the notes %v, want one for each template", set.Notes)
	}
	for _, o := range set.Objects {
		played, left := set.Played(o), set.LeftOut(o)
		switch v := o.Value.(type) {
		case *flaggerv1.Canary:
			want := event.LeftOut{What: event.LeftOutCheck, Name: "p99", Canary: "backend",
				Reason: "the lab cannot ask Datadog", Source: "all.yaml:15"}
			if len(left) != 1 || left[0] != want {
				t.Errorf("left out %v, want %v", left, want)
			}
			metrics := played.(*flaggerv1.Canary).Spec.Analysis.Metrics
			if len(metrics) != 1 || metrics[0].Name != "errors" {
				t.Errorf("played the metrics %v", metrics)
			}
			if len(v.Spec.Analysis.Metrics) != 2 {
				t.Error("the set itself was changed")
			}
		case *flaggerv1.MetricTemplate:
			if (played == nil) != (v.Name == "p99") {
				t.Errorf("template %s is played as %v", v.Name, played)
			}
		}
	}
}
