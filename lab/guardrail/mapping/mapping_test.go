package mapping

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func testLab() Lab {
	return Lab{Namespace: "develop", Release: "backend", Services: []string{"frontend", "backend"},
		Clients: []string{"edge"}, Ports: map[string]int{"frontend": 8080, "backend": 80},
		TargetPorts: map[string]int{"frontend": 8080, "backend": 8080}}
}

func documents(t *testing.T, text string) []*Document {
	t.Helper()
	var docs []*Document
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, &Document{File: "all.yaml", Root: n.Content[0]})
	}
}

func rules(t *testing.T, texts ...string) []Rule {
	t.Helper()
	var all []Rule
	for _, text := range texts {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// text encodes the documents that are played.
func text(t *testing.T, docs []*Document) string {
	t.Helper()
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, d := range docs {
		if d.Aside == "" {
			if err := enc.Encode(d.Root); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

const podinfo = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: test
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service:
    port: 9898
    gatewayRefs:
      - {group: core, kind: Service, name: podinfo, namespace: test, port: 9898}
  analysis:
    interval: 10s
    threshold: 5
    stepWeight: 10
    metrics:
      - name: success
        templateRef: {name: success, namespace: shared}
`

// TestOnlyCanaryIsInferred expects that the only Canary stands for the released service.
func TestOnlyCanaryIsInferred(t *testing.T) {
	docs := documents(t, podinfo)
	result := Map(docs, testLab(), nil)
	root := docs[0].Root
	for path, want := range map[string]string{
		"metadata.name": "backend", "metadata.namespace": "develop", "spec.targetRef.name": "backend",
		"spec.service.port": "80", "spec.service.targetPort": "8080", "spec.service.gatewayRefs[0].name": "backend",
		"spec.service.gatewayRefs[0].namespace": "develop", "spec.service.gatewayRefs[0].port": "80",
	} {
		if got := scalar(root, path); got != want {
			t.Errorf("%s is %q, not %q", path, got, want)
		}
	}
	if f, _ := find(root, "spec.targetRef.name"); f.Value.Line != 7 {
		t.Errorf("line %d", f.Value.Line)
	}
	if got := result.Names.Show("Service backend.develop has no backend-primary"); got !=
		"Service podinfo.test has no podinfo-primary" {
		t.Error(got)
	}
	if got := result.Names.Show("the backend of a route"); got != "the backend of a route" {
		t.Error(got)
	}
	if len(result.Notes) != 1 || !strings.Contains(result.Notes[0].Message, "test/podinfo is played as backend") {
		t.Errorf("%+v", result.Notes)
	}
}

// TestOwnNamesStay expects that manifests with the lab's names are not touched.
func TestOwnNamesStay(t *testing.T) {
	own := strings.NewReplacer("podinfo", "backend", "test", "develop", "shared", "develop", "9898", "81").
		Replace(podinfo)
	for _, manifests := range []string{own, strings.ReplaceAll(own, "  namespace: develop\n", "")} {
		docs := documents(t, manifests)
		before := text(t, docs)
		result := Map(docs, testLab(), nil)
		if after := text(t, docs); after != before || len(result.Edits) > 0 || len(result.Notes) > 0 {
			t.Errorf("changed to\n%s\n%+v", after, result)
		}
	}
}

// TestMisspeltTargetStays expects that a name in the lab's own namespace is not taken for another.
func TestMisspeltTargetStays(t *testing.T) {
	docs := documents(t, strings.NewReplacer("podinfo", "bakcend", "test", "develop").Replace(podinfo))
	Map(docs, testLab(), nil)
	if got := scalar(docs[0].Root, "spec.targetRef.name"); got != "bakcend" || docs[0].Aside != "" {
		t.Errorf("%s, %q", got, docs[0].Aside)
	}
}

// TestSeveralCanaries expects a choice to be asked for, and made by a rule.
func TestSeveralCanaries(t *testing.T) {
	two := podinfo + "---\n" + strings.ReplaceAll(podinfo, "podinfo", "web")
	result := Map(documents(t, two), testLab(), nil)
	if len(result.Notes) != 1 || !result.Notes[0].Error ||
		!strings.Contains(result.Notes[0].Hint, "--map test/podinfo=backend") {
		t.Fatalf("%+v", result.Notes)
	}
	docs := documents(t, two)
	result = Map(docs, testLab(), rules(t, "web=backend"))
	if docs[0].Aside == "" || docs[1].Aside != "" || scalar(docs[1].Root, "spec.targetRef.name") != "backend" {
		t.Errorf("%q, %q", docs[0].Aside, docs[1].Aside)
	}
	if !strings.Contains(result.Notes[0].Message, "Canaries test/podinfo") {
		t.Errorf("%+v", result.Notes)
	}
}

// TestSameNameInTwoNamespaces expects the rule to choose the namespace.
func TestSameNameInTwoNamespaces(t *testing.T) {
	two := podinfo + "---\n" + strings.ReplaceAll(podinfo, "namespace: test", "namespace: prod")
	result := Map(documents(t, two), testLab(), rules(t, "podinfo=backend"))
	if len(result.Notes) == 0 || !result.Notes[0].Error {
		t.Fatalf("%+v", result.Notes)
	}
	docs := documents(t, two)
	Map(docs, testLab(), rules(t, "prod/podinfo=backend"))
	if docs[0].Aside == "" || docs[1].Aside != "" {
		t.Errorf("%q, %q", docs[0].Aside, docs[1].Aside)
	}
}

// TestUnknownService expects an error for a rule that leads nowhere.
func TestUnknownService(t *testing.T) {
	result := Map(documents(t, podinfo), testLab(), rules(t, "podinfo=bakend"))
	if len(result.Notes) != 1 || !result.Notes[0].Error ||
		!strings.Contains(result.Notes[0].Hint, "frontend, backend") {
		t.Errorf("%+v", result.Notes)
	}
}

const template = `
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: success, namespace: NAMESPACE}
spec:
  provider: {type: prometheus, address: "http://prometheus.linkerd-viz:9090"}
  query: sum(rate(response_total{namespace="test",deployment="podinfo"}[{{ interval }}]))
`

// TestTemplatesOfTwoNamespaces expects two templates of one name to stay two.
func TestTemplatesOfTwoNamespaces(t *testing.T) {
	docs := documents(t, podinfo+strings.ReplaceAll(template, "NAMESPACE", "shared")+
		strings.ReplaceAll(template, "NAMESPACE", "test"))
	Map(docs, testLab(), nil)
	shared, own := scalar(docs[1].Root, "metadata.name"), scalar(docs[2].Root, "metadata.name")
	if own != "success" || shared != "success.shared" {
		t.Errorf("%s, %s", shared, own)
	}
	if got := scalar(docs[0].Root, "spec.analysis.metrics[0].templateRef.name"); got != shared {
		t.Errorf("the Canary refers to %s", got)
	}
	if got := scalar(docs[1].Root, "spec.query"); got !=
		`sum(rate(response_total{namespace="develop",deployment="backend"}[{{ interval }}]))` {
		t.Error(got)
	}
}

// TestGatewayBecomesService expects a Gateway to be replaced, with the hosts that users have there.
func TestGatewayBecomesService(t *testing.T) {
	manifests := strings.Replace(podinfo, "    gatewayRefs:\n"+
		"      - {group: core, kind: Service, name: podinfo, namespace: test, port: 9898}\n",
		"    hosts: [www.example.com]\n    gatewayRefs:\n      - {name: gateway, namespace: ingress}\n", 1) +
		`    webhooks:
      - name: load
        url: http://flagger-loadtester.test/
        metadata:
          cmd: "hey -z 1m -host www.example.com http://gateway.ingress/status/500"
      - name: smoke
        url: http://flagger-loadtester.test/
        metadata:
          cmd: "curl -sd 'anon' http://podinfo-canary.test:9898/token | grep token"
`
	docs := documents(t, manifests)
	Map(docs, testLab(), nil)
	got := text(t, docs)
	for _, want := range []string{
		"kind: Service", "name: backend", "-host backend.develop http://backend.develop:80/status/500",
		"http://backend-canary.develop:80/token",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hosts:") || strings.Contains(got, "ingress") {
		t.Error(got)
	}
}

// TestCommandsMeetTheLabsPort expects a URL without a port to name the port of the lab's Service, if that
// is not HTTP's own.
func TestCommandsMeetTheLabsPort(t *testing.T) {
	manifests := strings.ReplaceAll(podinfo, "9898", "80") + `    webhooks:
      - name: load
        url: http://flagger-loadtester.test/
        metadata:
          cmd: "hey -z 1m http://podinfo-canary.test/ http://podinfo-canary.test:80/ -host podinfo.test"
`
	for port, want := range map[int]string{
		80: "hey -z 1m http://backend-canary.develop/ http://backend-canary.develop:80/ -host backend.develop",
		8080: "hey -z 1m http://backend-canary.develop:8080/ http://backend-canary.develop:8080/ " +
			"-host backend.develop",
	} {
		lab := testLab()
		lab.Ports["backend"] = port
		docs := documents(t, manifests)
		Map(docs, lab, nil)
		if got := text(t, docs); !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

const policies = `
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: podinfo-http, namespace: test}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: podinfo-primary}}
  port: 9898
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: who, namespace: test}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: podinfo-http}
  requiredAuthenticationRefs:
    - {group: policy.linkerd.io, kind: MeshTLSAuthentication, name: clients, namespace: ingress}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: MeshTLSAuthentication
metadata: {name: clients, namespace: ingress}
spec:
  identities:
    - gateway.test.serviceaccount.identity.linkerd.cluster.local
    - gateway.ingress.serviceaccount.identity.linkerd.cluster.local
---
apiVersion: policy.linkerd.io/v1alpha1
kind: MeshTLSAuthentication
metadata: {name: accounts, namespace: ingress}
spec:
  identityRefs:
    - {kind: ServiceAccount, name: gateway}
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: other, namespace: other}
spec:
  podSelector: {}
  port: 80
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: podinfo-slow, namespace: test}
spec:
  parentRefs: [{group: core, kind: Service, name: podinfo, port: 9898}]
  rules:
    - backendRefs: [{name: podinfo-canary, port: 9898}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: podinfo, namespace: test}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
---
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: podinfo.test.svc.cluster.local, namespace: test}
spec: {routes: []}
`

// TestPoliciesFollow expects policies and routes to follow the mapping.
func TestPoliciesFollow(t *testing.T) {
	docs := documents(t, podinfo+policies)
	Map(docs, testLab(), rules(t, "podinfo=backend", "gateway=edge"))
	for i, fields := range []map[string]string{
		1: {"spec.podSelector.matchLabels.app": "backend-primary", "spec.port": "8080",
			"metadata.namespace": "develop"},
		2: {"spec.requiredAuthenticationRefs[0].namespace": "develop"},
		3: {"spec.identities[0]": "edge.develop.serviceaccount.identity.linkerd.cluster.local",
			"spec.identities[1]": "gateway.ingress.serviceaccount.identity.linkerd.cluster.local"},
		4: {"spec.identityRefs[0].namespace": "ingress", "spec.identityRefs[0].name": "gateway"},
		6: {"spec.parentRefs[0].name": "backend", "spec.parentRefs[0].port": "80",
			"spec.rules[0].backendRefs[0].name": "backend-canary", "spec.rules[0].backendRefs[0].port": "80"},
		7: {"spec.scaleTargetRef.name": "backend", "metadata.name": "podinfo"},
		8: {"metadata.name": "backend.develop.svc.cluster.local"},
	} {
		for path, want := range fields {
			if got := scalar(docs[i].Root, path); got != want {
				t.Errorf("%d: %s is %q, not %q", i, path, got, want)
			}
		}
	}
	if docs[5].Aside == "" {
		t.Error("the Server of another namespace is played")
	}
}

// TestQuery maps label values and nothing else.
func TestQuery(t *testing.T) {
	n := newNames(testLab())
	n.addWorkload("podinfo", "backend")
	n.addNamespace("test", "develop")
	n.servicePorts["backend"] = map[string]string{"9898": "80"}
	n.targetPorts["backend"] = map[string]string{"9898": "8080"}
	for _, c := range []struct{ from, to string }{
		{`up{namespace="test",deployment="podinfo"}`, `up{namespace="develop",deployment="backend"}`},
		{`up{namespace="prod",deployment="podinfo"}`, `up{namespace="prod",deployment="podinfo"}`},
		{`up{dst_namespace="test",dst_deployment="podinfo-primary"}`,
			`up{dst_namespace="develop",dst_deployment="backend-primary"}`},
		{`up{pod=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}`, `up{pod=~"backend-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}`},
		{`up{deployment=~"podinfo|podinfo-primary|podinfos?"}`, `up{deployment=~"backend|backend-primary|backends?"}`},
		{`up{deployment!~"podinfo-?.*"}`, `up{deployment!~"backend-?.*"}`},
		{`up{authority=~"podinfo\\.test\\.svc.*"}`, `up{authority=~"backend\\.develop\\.svc.*"}`},
		{`up{authority="podinfo.{{ namespace }}.svc.cluster.local:9898"}`,
			`up{authority="backend.{{ namespace }}.svc.cluster.local:80"}`},
		{`up{srv_port="9898",client_id="podinfo.test.serviceaccount.identity.linkerd.cluster.local"}`,
			`up{srv_port="8080",client_id="backend.develop.serviceaccount.identity.linkerd.cluster.local"}`},
		{`up{version="podinfo",message="test"}`, `up{version="podinfo",message="test"}`},
		{`podinfo{deployment="podinfo"} > test`, `podinfo{deployment="backend"} > test`},
		{`sum by (podinfo) (rate(up{deployment="podinfo-web",job="podinfo"}[5m]))`,
			`sum by (podinfo) (rate(up{deployment="podinfo-web",job="podinfo"}[5m]))`},
		{"sum(\n  rate(up{\n    deployment=~'podinfo'\n  }[{{ interval }}:10s])) # test",
			"sum(\n  rate(up{\n    deployment=~'backend'\n  }[{{ interval }}:10s])) # test"},
		{`up{deployment="{{ target }}"} > {{ variables.limit }} * up{deployment="podinfo"}`,
			`up{deployment="{{ target }}"} > {{ variables.limit }} * up{deployment="backend"}`},
		{`{{ if eq target "podinfo" }}up{deployment="podinfo"}{{ end }}`,
			`{{ if eq target "podinfo" }}up{deployment="backend"}{{ end }}`},
		{`not promql podinfo`, `not promql podinfo`},
	} {
		if got, _ := n.query(c.from); got != c.to {
			t.Errorf("%s\nbecame %s\nnot    %s", c.from, got, c.to)
		}
	}
}

// TestFile reads a mapping and writes it again.
func TestFile(t *testing.T) {
	want := rules(t, "podinfo=backend", "ingress/gateway=edge")
	got, err := ParseFile(FormatFile(want))
	if err != nil || len(got) != 2 || got[1].String() != "ingress/gateway=edge" || got[1].Line != 5 {
		t.Fatalf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "is not YAML", "[]": "must be a mapping", "kind: x": "must be",
		"apiVersion: coalmine.dev/v1alpha1\nkind: Workspace\nmpa: {}":           "unknown field",
		"apiVersion: coalmine.dev/v1alpha1\nkind: Workspace\nmap: [a]":          "must be a mapping",
		"apiVersion: coalmine.dev/v1alpha1\nkind: Workspace\nmap: {a: b, a: c}": "twice",
		"apiVersion: coalmine.dev/v1alpha1\nkind: Workspace\nmap: {A_: b}":      "not the name",
	} {
		if _, err := ParseFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
	merged := Merge(want, rules(t, "podinfo=frontend"))
	if len(merged) != 2 || merged[1].To != "frontend" {
		t.Errorf("%v", merged)
	}
}

// TestCohortTakesPart expects an A/B test for users that the scenario does not have to get a cohort of
// those that it has, unless one of them meets its conditions.
func TestCohortTakesPart(t *testing.T) {
	lab := testLab()
	lab.Cohorts = []Cohort{{Name: "all", Share: 0.7}, {Name: "few", Share: 0.1, Headers: [][2]string{{"x-few", "1"}}},
		{Name: "staff", Share: 0.2, Headers: [][2]string{{"cookie", "staff=yes; a=b"}}},
		{Name: "each", Share: 0.3, Headers: [][2]string{{"x-user", "{user}"}}, Personal: true}}
	for match, want := range map[string]string{
		"- headers: {x-canary: {exact: a}}":                          `^(.*;\s*)?staff=yes(;.*)?$`,
		"- headers: {x-few: {exact: \"2\"}}":                         `^(.*;\s*)?staff=yes(;.*)?$`,
		"- sourceLabels: {app: a}":                                   `^(.*;\s*)?staff=yes(;.*)?$`,
		"- headers: {x-few: {exact: \"1\"}}":                         "",
		"- headers: {X-Few: {regex: \"[0-9]\"}}":                     "",
		"- headers: {cookie: {prefix: staff=}}":                      "",
		"- headers: {cookie: {suffix: a=b}}":                         "",
		"- headers: {x-canary: {exact: a}}\n        uri: {exact: /}": "",
	} {
		text := strings.Replace(podinfo, "stepWeight: 10", "iterations: 5\n    match:\n      "+match, 1)
		docs := documents(t, strings.ReplaceAll(text, "group: core, kind: Service", "kind: Gateway"))
		Map(docs, lab, nil)
		list, _ := find(docs[0].Root, matchPath)
		items := list.Items()
		got := scalar(items[len(items)-1].Value, "headers.cookie.regex")
		if got != want {
			t.Errorf("%s: %q takes part, want %q", match, got, want)
		}
	}
}
