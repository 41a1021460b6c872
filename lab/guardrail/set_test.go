package guardrail

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// courseLab returns the set of testdata/good.
func courseLab(t *testing.T) (*Set, map[string][]byte) {
	t.Helper()
	files := readArchive(t, "testdata/good/course-lab.txtar")
	set, err := Parse(files, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	return set, files
}

func object[T any](t *testing.T, s *Set, kind, name string) T {
	t.Helper()
	for _, o := range s.Objects {
		if v, ok := o.Value.(T); ok && o.Kind == kind && o.Name == name {
			return v
		}
	}
	t.Fatalf("no %s %s", kind, name)
	panic("unreachable")
}

func TestObjectsAreInApplyOrder(t *testing.T) {
	set, files := courseLab(t)
	var got []string
	for _, o := range set.Objects {
		got = append(got, o.Kind+" "+o.Namespace+"/"+o.Name)
	}
	want := []string{
		"Namespace /develop", "Secret develop/on-call-url", "Server develop/backend-http",
		"MeshTLSAuthentication develop/backend-clients",
		"NetworkAuthentication develop/kubelet", "AuthorizationPolicy develop/backend-clients",
		"HTTPRoute develop/backend-health",
		"HorizontalPodAutoscaler develop/backend", "MetricTemplate develop/latency",
		"MetricTemplate develop/success-rate",
		"AlertProvider develop/on-call", "Canary develop/backend", "Canary develop/frontend",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The order does not depend on the files.
	var all [][]byte
	for name, data := range files {
		if strings.HasSuffix(name, "json") {
			data = bytes.ReplaceAll(data, []byte("\n"), []byte(" "))
		}
		all = append(all, data)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		again, err := Parse(map[string][]byte{"all.yaml": bytes.Join(all, []byte("\n---\n"))}, testEnvironment())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(set.Objects, again.Objects,
			func(a, b Object) bool { return a.Kind == b.Kind && a.Name == b.Name }) {
			t.Error("the order of objects depends on the order of documents")
		}
	}
}

func TestParseSetsDefaults(t *testing.T) {
	set, _ := courseLab(t)
	server := object[*Server](t, set, "Server", "backend-http")
	if server.APIVersion != ServerVersion || server.Spec.AccessPolicy != "deny" || server.Namespace != "develop" {
		t.Errorf("Server: got %s, %s, %s", server.APIVersion, server.Spec.AccessPolicy, server.Namespace)
	}
	if r := object[*gatewayv1.HTTPRoute](t, set, "HTTPRoute",
		"backend-health"); r.APIVersion != "gateway.networking.k8s.io/v1beta1" {
		t.Errorf("HTTPRoute: got %s", r.APIVersion)
	}
	secret := object[*corev1.Secret](t, set, "Secret", "on-call-url")
	if string(secret.Data["address"]) != "https://hooks.slack.com/services/EXAMPLE" || secret.StringData != nil {
		t.Errorf("Secret: got %v, %v", secret.Data, secret.StringData)
	}
	bare, err := parseText("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n" +
		"spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if h := object[*autoscalingv2.HorizontalPodAutoscaler](t, bare, "HorizontalPodAutoscaler",
		"a"); *h.Spec.MinReplicas != 1 {
		t.Errorf("HorizontalPodAutoscaler: got %d", *h.Spec.MinReplicas)
	}
}

func TestCanaryForFindsByTarget(t *testing.T) {
	set, _ := courseLab(t)
	if c := set.CanaryFor("frontend"); c == nil || c.Name != "frontend" {
		t.Errorf("got %v", c)
	}
	if c := set.CanaryFor("basket"); c != nil {
		t.Errorf("got %v", c)
	}
}

func TestReleasedServiceNeedsCanary(t *testing.T) {
	env := testEnvironment()
	env.ReleaseTarget = "backend"
	_, err := Parse(map[string][]byte{"a.yaml": []byte(configMap)}, env)
	wantError(t, err, "no Canary targets Deployment backend")
	_, files := courseLab(t)
	if _, err := Parse(files, env); err != nil {
		t.Error(err)
	}
}

func TestErrorsAreSortedAndUnique(t *testing.T) {
	findings := []Finding{
		{Position: Position{File: "b.yaml", Line: 1}, Message: "m"},
		{Position: Position{File: "a.yaml", Line: 10}, Message: "m"},
		{Position: Position{File: "a.yaml", Line: 2}, Message: "m"},
		{Position: Position{File: "a.yaml", Line: 10}, Message: "m"},
	}
	if got, want := asError(findings).Error(), "a.yaml:2: m\na.yaml:10: m\nb.yaml:1: m"; got != want {
		t.Errorf("got %s", got)
	}
	if err := asError(nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestDeepCopySharesNothing(t *testing.T) {
	set, _ := courseLab(t)
	for _, o := range set.Objects {
		switch v := o.Value.(type) {
		case *Server:
			c := v.DeepCopyObject().(*Server)
			if diff := cmp.Diff(v, c); diff != "" {
				t.Error(diff)
			}
			c.Spec.PodSelector.MatchExpressions[0].Values[0] = "changed"
			if v.Spec.PodSelector.MatchExpressions[0].Values[0] == "changed" {
				t.Error("the copy of Server shares the selector")
			}
		case *AuthorizationPolicy:
			c := v.DeepCopyObject().(*AuthorizationPolicy)
			c.Spec.RequiredAuthenticationRefs[0].Name = "changed"
			if v.Spec.RequiredAuthenticationRefs[0].Name == "changed" {
				t.Error("the copy of AuthorizationPolicy shares the references")
			}
		case *MeshTLSAuthentication:
			c := v.DeepCopyObject().(*MeshTLSAuthentication)
			c.Spec.IdentityRefs[0].Name = "changed"
			if v.Spec.IdentityRefs[0].Name == "changed" {
				t.Error("the copy of MeshTLSAuthentication shares the references")
			}
		case *NetworkAuthentication:
			c := v.DeepCopyObject().(*NetworkAuthentication)
			c.Spec.Networks[0].Except[0] = "changed"
			if v.Spec.Networks[0].Except[0] == "changed" {
				t.Error("the copy of NetworkAuthentication shares the exceptions")
			}
		}
	}
}

func TestIsLabPrometheus(t *testing.T) {
	for address, want := range map[string]bool{
		LabPrometheus:                                              true,
		"http://prometheus.linkerd-viz:9090/":                      true,
		"http://prometheus.linkerd-viz.svc:9090":                   true,
		"http://prometheus.linkerd-viz.svc.cluster.local:9090":     true,
		"https://prometheus.linkerd-viz:9090":                      false,
		"http://prometheus.linkerd-viz":                            false,
		"http://prometheus.linkerd-viz:9090.evil.com":              false,
		"http://prometheus.linkerd-viz:9090@evil.com":              false,
		"http://prometheus.linkerd-viz.svc.cluster.local:9090/api": false,
		"": false,
	} {
		if IsLabPrometheus(address) != want {
			t.Errorf("%s: got %v", address, !want)
		}
	}
}
