package preflight

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// engine is a fake container engine.
type engine struct {
	err    error
	memory int64
	state  kindcluster.State
}

// certificateSeries starts the selector of the series of certificates, as Linkerd names it.
const certificateSeries = "control_identity_cert_expiration_timestamp_seconds{"

func (e *engine) Ping(context.Context) (string, error)                     { return "20.10", e.err }
func (e *engine) Memory(context.Context) (int64, error)                    { return e.memory, nil }
func (e *engine) State(context.Context, string) (kindcluster.State, error) { return e.state, nil }

// answers is a fake Prometheus: answers by a part of the query.
type answers map[string][]Sample

func (a answers) Query(_ context.Context, promQL string) ([]Sample, error) {
	for part, samples := range a {
		if strings.Contains(promQL, part) {
			return samples, nil
		}
	}
	return nil, errors.New("unexpected query " + promQL)
}

// fixture is a cluster that passes all checks, for tests to break.
type fixture struct {
	engine  *engine
	objects []runtime.Object // typed
	untyped []runtime.Object // unstructured
	answers answers
	image   string
	state   map[string]string
	secret  map[string][]byte
}

func passingFixture(t *testing.T) *fixture {
	roots, cert := chain(t, noon.Add(-time.Hour), noon.AddDate(10, 0, 0), noon.AddDate(1, 0, 0))
	f := &fixture{
		engine:  &engine{memory: 8 << 30, state: kindcluster.Running},
		image:   "abc",
		state:   map[string]string{"mesh": names.Linkerd, "image": names.ImageRegistry + "/coalmine-agent:abc"},
		secret:  map[string][]byte{names.TrustRoots: roots, names.IssuerCert: cert},
		answers: wellAnswers(),
	}
	f.objects = []runtime.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady,
				Status: corev1.ConditionTrue}}}},
		deployment(names.MeshNamespace, "linkerd-destination", 1),
		deployment(names.FlaggerNamespace, "flagger", 1, "-mesh-provider=gatewayapi:v1beta1"),
		pod("backend-1", names.ProxyContainer),
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "injector"},
			Webhooks: []admissionv1.MutatingWebhook{{
				ClientConfig: admissionv1.WebhookClientConfig{
					Service: &admissionv1.ServiceReference{Namespace: names.MeshNamespace}, CABundle: roots,
				},
			}}},
	}
	f.untyped = documents(t, passingObjects)
	return f
}

func wellAnswers() answers {
	one := func(v float64, labels ...string) []Sample {
		m := map[string]string{}
		for i := 0; i < len(labels); i += 2 {
			m[labels[i]] = labels[i+1]
		}
		return []Sample{{m, v}}
	}
	return answers{
		"prometheus_build_info":       one(1, "version", "3.11.0"),
		certificateSeries:             one(float64(noon.Add(20*time.Hour).Unix()), "pod", "backend-1"),
		"increase(request_total":      one(1000, "tls", "true"),
		"up{":                         one(1),
		"count(request_total":         one(4),
		"count(response_total":        one(4),
		"count(response_latency":      one(104),
		"max(timestamp":               one(float64(noon.Add(-5 * time.Second).Unix())),
		"count(app_http_requests_tot": one(8),
	}
}

const passingObjects = `
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: httproutes.gateway.networking.k8s.io, annotations: {gateway.networking.k8s.io/bundle-version: v1.2.1}}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: servers.policy.linkerd.io}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: authorizationpolicies.policy.linkerd.io}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: meshtlsauthentications.policy.linkerd.io}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: networkauthentications.policy.linkerd.io}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: callers, namespace: develop}, spec: {requiredAuthenticationRefs: [{kind: MeshTLSAuthentication, name: callers}, {kind: ServiceAccount, name: edge}]}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: MeshTLSAuthentication, metadata: {name: callers, namespace: develop}, spec: {identities: ["*"]}}
---
{apiVersion: flagger.app/v1beta1, kind: Canary, metadata: {name: backend, namespace: develop}, spec: {targetRef: {name: backend}}, status: {phase: Initialized}}
`

func documents(t *testing.T, text string) []runtime.Object {
	var list []runtime.Object
	for _, doc := range strings.Split(text, "---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &o.Object); err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

func deployment(namespace, name string, available int32, args ...string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: name, Image: name + ":1", Args: args}},
		}}},
		Status: appsv1.DeploymentStatus{AvailableReplicas: available}}
}

func pod(name string, containers ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: names.DevelopNamespace},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady,
			Status: corev1.ConditionTrue}}}}
	for _, c := range containers {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: c})
	}
	return p
}

// chain makes an anchor and an issuer signed by it.
func chain(t *testing.T, from, anchorEnds, issuerEnds time.Time) (roots, issuer []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	make := func(name string, ends time.Time, parent *x509.Certificate) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from,
			NotAfter: ends, IsCA: true,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	anchor := make("root", anchorEnds, nil)
	text := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return text(anchor), text(make("identity", issuerEnds, anchor))
}

func (f *fixture) lab() *Lab {
	typed := append([]runtime.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: names.StateConfigMap, Namespace: names.LabNamespace},
			Data: f.state},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: names.TrustSecret, Namespace: names.MeshNamespace},
			Data: f.secret},
	}, f.objects...)
	kinds := map[schema.GroupVersionResource]string{crds: "CustomResourceDefinitionList", canaryResource: "CanaryList"}
	for resource, kind := range map[string]string{"servers": "ServerList",
		"authorizationpolicies":  "AuthorizationPolicyList",
		"meshtlsauthentications": "MeshTLSAuthenticationList", "networkauthentications": "NetworkAuthenticationList"} {
		for _, v := range policyResources[resource] {
			kinds[schema.GroupVersionResource{Group: policyGroup, Version: v, Resource: resource}] = kind
		}
	}
	return &Lab{
		Cluster: "test", Engine: f.engine, Image: f.image, Now: func() time.Time { return noon },
		Prometheus: func(context.Context, *rest.Config) (Prometheus, func(), error) {
			return f.answers, func() {}, nil
		},
		kube:    fake.NewSimpleClientset(typed...),
		objects: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, f.untyped...),
	}
}

func (f *fixture) run() map[string]Result {
	results := map[string]Result{}
	Run(context.Background(), Checks(), f.lab(), func(r Result) { results[r.Name] = r })
	return results
}

func TestAllChecksPass(t *testing.T) {
	results := passingFixture(t).run()
	if len(results) != len(Checks()) {
		t.Errorf("%d results of %d checks", len(results), len(Checks()))
	}
	for _, r := range results {
		if r.Level != OK || r.Hint != "" || r.Detail == "" {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
}

// TestEachCheckFindsItsFault breaks one thing at a time: its check must fail with a hint, and
// checks that do not depend on it must still pass.
func TestEachCheckFindsItsFault(t *testing.T) {
	expire := func(f *fixture, anchor, issuer time.Time) {
		f.secret[names.TrustRoots], f.secret[names.IssuerCert] = chain(t, noon.AddDate(-1, 0, 0), anchor, issuer)
	}
	set := func(query string, v float64, labels map[string]string) func(*fixture) {
		return func(f *fixture) { f.answers[query] = []Sample{{labels, v}} }
	}
	empty := func(query string) func(*fixture) { return func(f *fixture) { f.answers[query] = nil } }
	replace := func(i int, o runtime.Object) func(*fixture) { return func(f *fixture) { f.objects[i] = o } }
	for _, tt := range []struct {
		check  string
		level  Level
		want   string
		damage func(*fixture)
	}{
		{"docker-answers", Failed, "no rights", func(f *fixture) { f.engine.err = errors.New("no rights") }},
		{"memory", Failed, "2.0 GiB", func(f *fixture) { f.engine.memory = 2 << 30 }},
		{"cluster-runs", Failed, "no cluster test", func(f *fixture) { f.engine.state = kindcluster.Absent }},
		{"cluster-runs", Failed, "stopped", func(f *fixture) { f.engine.state = kindcluster.Stopped }},
		{"cluster-runs", Failed, "coalmine did not create", func(f *fixture) { f.engine.state = kindcluster.Foreign }},
		{"nodes-ready", Failed, "not ready", replace(0, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}})},
		{"brought-up", Failed, "up failed early", func(f *fixture) { f.state = nil }},
		{"image", Warning, "this is other", func(f *fixture) { f.image = "other" }},
		{"image", Failed, "no image", func(f *fixture) { delete(f.state, "image") }},
		{"gateway-api", Failed, "not found", func(f *fixture) { f.untyped = f.untyped[1:] }},
		{"gateway-api", Warning, "v1.10.0", func(f *fixture) {
			f.untyped[0].(*unstructured.Unstructured).SetAnnotations(
				map[string]string{"gateway.networking.k8s.io/bundle-version": "v1.10.0"})
		}},
		{"pods-ready", Failed, "backend-1", func(f *fixture) {
			f.objects[3].(*corev1.Pod).Status = corev1.PodStatus{}
		}},
		{"trust-anchor", Warning, "in 30 days",
			func(f *fixture) { expire(f, noon.AddDate(0, 0, 30), noon.AddDate(1, 0, 0)) }},
		{"trust-anchor", Failed, "expired", func(f *fixture) {
			expire(f, noon.Add(-time.Hour),
				noon.AddDate(1, 0, 0))
		}},
		{"issuer", Failed, "expired", func(f *fixture) { expire(f, noon.AddDate(9, 0, 0), noon.Add(-time.Hour)) }},
		{"issuer", Failed, "not signed", func(f *fixture) {
			_, f.secret[names.IssuerCert] = chain(t, noon, noon.AddDate(9, 0, 0), noon.AddDate(1, 0, 0))
		}},
		{"workload-certificates", Failed, "backend-1",
			set(certificateSeries, float64(noon.Unix()-1), map[string]string{"pod": "backend-1"})},
		{"workload-certificates", Warning, "renewed",
			set(certificateSeries, float64(noon.Add(5*time.Hour).Unix()), nil)},
		{"control-plane", Failed, "0 of 1", replace(1, deployment(names.MeshNamespace, "linkerd-destination", 0))},
		{"injector", Failed, "no CA bundle", func(f *fixture) {
			f.objects[4].(*admissionv1.MutatingWebhookConfiguration).Webhooks[0].ClientConfig.CABundle = nil
		}},
		{"injection", Failed, "backend-1", replace(3, pod("backend-1"))},
		{"mtls", Warning, "0 % of 10", set("increase(request_total", 10, map[string]string{"tls": "no_identity"})},
		{"mtls", Warning, "no request", empty("increase(request_total")},
		{"policy-crds", Failed, "servers", func(f *fixture) { f.untyped = append(f.untyped[:1:1], f.untyped[2:]...) }},
		{"policies-hold", Failed, "callers requires MeshTLSAuthentication callers",
			func(f *fixture) { f.untyped = append(f.untyped[:6:6], f.untyped[7:]...) }},
		{"servers-primary", Warning, "backend: the canary only", func(f *fixture) {
			f.untyped = append(f.untyped, documents(t,
				`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: backend, namespace: develop}, spec: {podSelector: {matchLabels: {app: backend}}}}`)...)
		}},
		{"flagger-ready", Failed, "0 of 1", replace(2, deployment(names.FlaggerNamespace, "flagger", 0))},
		{"flagger-provider", Failed, "gatewayapi:v1", replace(2, deployment(names.FlaggerNamespace, "flagger", 1,
			"-mesh-provider=gatewayapi:v1"))},
		{"canaries", Warning, "backend is Progressing", func(f *fixture) {
			c := f.untyped[7].(*unstructured.Unstructured)
			_ = unstructured.SetNestedField(c.Object, "Progressing", "status", "phase")
			_ = unstructured.SetNestedField(c.Object, noon.Add(-time.Hour).Format(time.RFC3339), "status",
				"lastTransitionTime")
		}},
		{"prometheus-answers", Failed, "unexpected", func(f *fixture) { f.answers = answers{} }},
		{"proxies-scraped", Failed, "no target", empty("up{")},
		{"proxies-scraped", Warning, "no target yet", func(f *fixture) {
			empty("up{")(f)
			for _, o := range f.objects {
				if p, ok := o.(*corev1.Pod); ok {
					p.CreationTimestamp = metav1.NewTime(noon.Add(-firstScrape + time.Second))
				}
			}
		}},
		{"proxies-scraped", Warning, "1 of 1", set("up{", 0, nil)},
		{"linkerd-series", Warning, "response_total", empty("count(response_total")},
		{"linkerd-series", Warning, "5m0s old", set("max(timestamp", float64(noon.Add(-5*time.Minute).Unix()), nil)},
		{"app-series", Warning, "app_http", empty("count(app_http_requests_tot")},
	} {
		t.Run(tt.check+"/"+tt.want, func(t *testing.T) {
			f := passingFixture(t)
			tt.damage(f)
			results := f.run()
			r := results[tt.check]
			if r.Level != tt.level || !strings.Contains(r.Detail, tt.want) || r.Hint == "" {
				t.Errorf("%+v", r)
			}
			for name, other := range results {
				if name != tt.check && other.Level != OK && other.Level != Skipped && !related(tt.check, name) {
					t.Errorf("%s is %s: %s", name, other.Level, other.Detail)
				}
			}
		})
	}
}

// related reports whether two checks look at the same thing.
func related(broken, other string) bool {
	return broken == "trust-anchor" && other == "issuer" || broken == "issuer" && other == "trust-anchor"
}

func TestChecksAfterAFailureAreSkipped(t *testing.T) {
	f := passingFixture(t)
	f.engine.err = errors.New("no Docker")
	results := f.run()
	for _, name := range []string{"memory", "cluster-runs", "api-answers", "flagger-provider", "linkerd-series"} {
		if r := results[name]; r.Level != Skipped || !strings.HasPrefix(r.Detail, "needs ") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWorst(t *testing.T) {
	for want, levels := range map[Level][]Level{OK: {OK, OK}, Warning: {OK, Warning, OK}, Failed: {Warning, Failed}} {
		var results []Result
		for _, l := range levels {
			results = append(results, Result{Level: l})
		}
		if got := Worst(results); got != want {
			t.Errorf("worst of %v is %s", levels, got)
		}
	}
	if Worst([]Result{{Level: Skipped}}) != Failed {
		t.Error("what could not be looked at passed")
	}
}

func TestNeedsAreEarlierChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		for _, n := range c.Needs {
			if !seen[n] {
				t.Errorf("%s needs %s, which is no check before it", c.Name, n)
			}
		}
		if seen[c.Name] || c.Title == "" || c.Hint == "" {
			t.Errorf("%s: there twice, or without title or hint", c.Name)
		}
		seen[c.Name] = true
	}
}
