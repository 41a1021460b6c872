package k8s_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

const profile = `
metadata: {name: backend.develop.svc.cluster.local, namespace: develop}
spec:
  routes:
    - name: items
      condition:
        method: GET
        any: [{pathRegex: /items}, {all: [{pathRegex: "/items/.*"}, {pathRegex: ".*[0-9]"}]}]
      isRetryable: true
      responseClasses:
        - {condition: {status: {min: 500}}, isFailure: false}
        - {condition: {status: {min: 500, max: 599}, not: {status: {min: 501, max: 501}}}, isFailure: true}
        - {condition: {any: [{status: {min: 429, max: 429}}, {status: {min: 501, max: 501}}]}, isFailure: true}
  dstOverrides:
    - {authority: "backend-primary.develop.svc.cluster.local:80", weight: 10}
    - {authority: backend-canary.develop.svc.cluster.local, weight: 0}
  retryBudget: {retryRatio: 0.1, minRetriesPerSecond: 1, ttl: 30s}
`

func convertProfile(t *testing.T, text string) mesh.Profile {
	t.Helper()
	var s guardrail.ServiceProfile
	if err := yaml.UnmarshalStrict([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	p, err := k8s.Profile(&s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfile(t *testing.T) {
	p := convertProfile(t, profile)
	for _, c := range []struct {
		method, path string
		matches      bool
	}{
		{"GET", "/items", true}, {"GET", "/items/7", true}, {"GET", "/items/x", false}, {"GET", "/other", false},
		{"POST", "/items", false}, {"GET", "/items7", false},
	} {
		if got := p.Match(&mesh.Request{Method: c.method, Path: c.path}) == 0; got != c.matches {
			t.Errorf("%s %s: matches: %v", c.method, c.path, got)
		}
	}
	route := p.Routes[0]
	for status, want := range map[int]bool{200: false, 429: true, 500: true, 501: true, 503: true, 404: false} {
		if got := route.IsFailure(status); got != want {
			t.Errorf("%d is a failure: %v", status, got)
		}
	}
	if len(p.Targets) != 1 || p.Targets[0].Service != "backend-primary" || !route.Retryable {
		t.Errorf("%+v", p)
	}
}

// A budget that the proxy refuses leaves no retries.
func TestProfileWithInvalidBudget(t *testing.T) {
	p := convertProfile(t, `
metadata: {name: backend.develop.svc.cluster.local}
spec:
  routes: [{name: all, condition: {pathRegex: /.*}, isRetryable: true}]
  retryBudget: {retryRatio: 0.1, minRetriesPerSecond: 1, ttl: 90s}
`)
	if p.Routes[0].Retryable {
		t.Error("retries are left")
	}
}
