package guardrail

import (
	"strings"
	"testing"
)

const istioCanary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: shop
  namespace: prod
spec:
  provider: istio # the mesh
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  service:
    port: 3000
    gateways: [public]
    hosts: [shop.example.com]
  analysis:
    interval: 30s
    threshold: 2
    stepWeights: [10, 50, 100]
    metrics:
      - name: request-success-rate
        thresholdRange: {min: 99}
        interval: 1m
      - name: request-duration
        threshold: 500
      - name: errors
        templateRef: {name: errors, namespace: istio-system}
        thresholdRange: {max: 1}
        interval: 1m
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: istio-system}
spec:
  provider: {type: prometheus, address: "http://prometheus.istio-system:9090"}
  query: |
    sum(rate(istio_requests_total{destination_workload="{{ target }}",response_code=~"5.."}[{{ interval }}]))
    / sum(rate(istio_requests_total{destination_workload="{{ target }}"}[{{ interval }}])) * 100
`

func adoptEnvironment() Environment {
	return Environment{Namespace: "develop", Targets: []string{"backend"}, ReleaseTarget: "backend",
		Ports: map[string]int{"backend": 80}, TargetPorts: map[string]int{"backend": 8080}}
}

// TestAdopt turns a Canary for Istio into one that is valid for the lab, with a reason for each edit.
func TestAdopt(t *testing.T) {
	a, err := Adopt(map[string][]byte{"shop.yaml": []byte(istioCanary)}, adoptEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	text := string(a.Files["shop.yaml"])
	for _, want := range []string{"provider: gatewayapi:v1beta1 # the mesh", "port: 80\n    targetPort: 8080\n",
		"- group: core\n        kind: Service\n        name: backend\n", "name: linkerd-success-rate", "max: 500",
		`classification="failure"`, "interval: 1m", "name: latency-p99"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, gone := range []string{"istio", "shop", "gateways:", "hosts", "threshold: 500", "request-"} {
		if strings.Contains(text, gone) {
			t.Errorf("%q is left in\n%s", gone, text)
		}
	}
	if !strings.Contains(string(a.Files[templatesFile]), "response_latency_ms_bucket") {
		t.Errorf("%s", a.Files[templatesFile])
	}
	for _, e := range a.Edits {
		if e.Reason == "" || e.Line == 0 || e.File != "shop.yaml" {
			t.Errorf("%+v", e)
		}
	}
	set, err := Parse(a.Files, adoptEnvironment())
	if err != nil || len(set.Notes) > 0 || len(set.Objects) != 4 {
		t.Errorf("%v, %v", err, set.Notes)
	}
}

// TestAdoptOwn expects manifests of the lab to stay as they are.
func TestAdoptOwn(t *testing.T) {
	a, err := Adopt(map[string][]byte{"shop.yaml": []byte(istioCanary)}, adoptEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Adopt(a.Files, adoptEnvironment())
	if err != nil || len(again.Edits) > 0 || string(again.Files["shop.yaml"]) != string(a.Files["shop.yaml"]) {
		t.Errorf("%v, %+v", err, again.Edits)
	}
}

// TestAdoptServerAuthorization expects a ServerAuthorization to become policies with the lab's names.
func TestAdoptServerAuthorization(t *testing.T) {
	const before = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: develop}\n---\n"
	const after = "---\n# the last\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: develop}\n"
	files := map[string][]byte{"all.yaml": []byte(before + serverAuthorization + after)}
	a, err := Adopt(files, adoptEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	server, _, _ := strings.Cut(serverAuthorization, "---\n")
	if got, want := string(a.Files["all.yaml"]), before+server+after; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if text := string(a.Files[policiesFile]); !strings.Contains(text, "name: backend-http\n") ||
		!strings.Contains(text, "edge.develop.serviceaccount") || a.Added[policiesFile] == "" {
		t.Errorf("the policies are\n%s", text)
	}
	if len(a.Edits) != 1 || a.Edits[0].Old != kindServerAuthorization || a.Edits[0].Line != 10 {
		t.Errorf("%+v", a.Edits)
	}
	env := adoptEnvironment()
	env.ReleaseTarget = ""
	if set, err := Parse(a.Files, env); err != nil || len(set.Notes) > 0 {
		t.Errorf("%v, %v", err, set)
	}
}

// TestAdoptListedServerAuthorization expects one that cannot be taken out of its List to be an error.
func TestAdoptListedServerAuthorization(t *testing.T) {
	const list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: policy.linkerd.io/v1beta1\n" +
		"  kind: ServerAuthorization\n  metadata: {name: edge}\n" +
		"  spec: {server: {name: a}, client: {unauthenticated: true}}\n"
	_, err := Adopt(map[string][]byte{"all.yaml": []byte(list)}, adoptEnvironment())
	if err == nil || !strings.Contains(err.Error(), "all.yaml:4: cannot be replaced where it is") {
		t.Error(err)
	}
}
