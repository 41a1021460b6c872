package kind

import (
	"testing"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

func TestAdaptWebhooks(t *testing.T) {
	metadata := map[string]string{"cmd": "hey -z 1m http://a/"}
	canary := &flaggerv1.Canary{Spec: flaggerv1.CanarySpec{Analysis: &flaggerv1.CanaryAnalysis{
		Webhooks: []flaggerv1.CanaryWebhook{
			{Name: "ours", URL: "http://gate.coalmine/volume?min=1"},
			{Name: "load", URL: "http://flagger-loadtester.test/", Metadata: &metadata},
			{Name: "person", Type: "confirm-promotion", URL: "http://flagger-loadtester.test/gate/check"},
			{Name: "back", Type: "rollback", URL: "http://flagger-loadtester.test/rollback/check"},
			{Name: "feed", Type: "event", URL: "https://hooks.example.com/"},
		}}}}
	left := adapt(canary)
	hooks := canary.Spec.Analysis.Webhooks
	if len(hooks) != 2 || hooks[0].Name != "ours" || hooks[1].URL != "http://gate.coalmine/approve" {
		t.Errorf("got the webhooks %+v", hooks)
	}
	if len(left) != 3 {
		t.Errorf("got %+v, want load, person and back", left)
	}
	if left := adapt(&autoscalingv2.HorizontalPodAutoscaler{}); len(left) != 1 {
		t.Errorf("got %+v for an autoscaler", left)
	}
}
