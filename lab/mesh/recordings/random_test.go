package recordings

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"coalmine/lab/mesh"
)

// dice draws a random configuration of the mesh.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

// maybe returns s or nothing.
func (d dice) maybe(s string) string {
	if d.IntN(2) == 0 {
		return ""
	}
	return s
}

// annotations returns annotations of a Service that Linkerd accepts.
func (d dice) annotations() string {
	list := []string{
		"retry.linkerd.io/http: " + d.one("5xx", "gateway-error", `"503"`, "500-504"),
		fmt.Sprintf("retry.linkerd.io/limit: %q", d.one("0", "1", "3")),
		"retry.linkerd.io/timeout: " + d.one("20ms", "1s"),
		"timeout.linkerd.io/request: " + d.one("30ms", "2s"), "timeout.linkerd.io/response: " + d.one("30ms", "2s"),
		"balancer.linkerd.io/failure-accrual: consecutive",
		fmt.Sprintf("balancer.linkerd.io/failure-accrual-consecutive-max-failures: %q", d.one("1", "3", "7")),
		"config.linkerd.io/opaque-ports: " + d.one(`"80"`, `"1000-2000"`),
	}
	var b strings.Builder
	for _, a := range list {
		if d.IntN(3) == 0 {
			b.WriteString("\n    " + a)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n  annotations:" + b.String()
}

// route returns an HTTPRoute of the Service backend.
func (d dice) route(name string) string {
	var rules strings.Builder
	for range 1 + d.IntN(3) {
		rules.WriteString("\n  - matches:\n    - path: {type: " + d.one("PathPrefix, value: /", "Exact, value: /a",
			"RegularExpression, value: /.*") + "}" + d.maybe("\n      method: "+d.one("GET", "POST")))
		rules.WriteString(d.maybe("\n    timeouts: {request: " + d.one("0s", "40ms", "1s") + "}"))
		if d.IntN(8) == 0 {
			rules.WriteString("\n    filters: [{type: " + d.one(
				"RequestRedirect, requestRedirect: {hostname: a.example, statusCode: 302}",
				"RequestMirror, requestMirror: {backendRef: {name: both, port: 80}}",
				"RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: yes-y}]}") + "}]")
		}
		rules.WriteString("\n    backendRefs:")
		for range 1 + d.IntN(3) {
			rules.WriteString(fmt.Sprintf("\n    - {name: %s, port: 80, weight: %d}",
				d.one("backend-v1", "backend-v2", "both", "empty", "nothere"), d.IntN(3)*50))
		}
	}
	return `
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ` + name + `, namespace: probe}
spec:
  parentRefs: [{name: backend, kind: Service, group: core` + d.maybe(", port: 80") + `}]
  ` + d.maybe("hostnames: [backend, '*.example']\n  ") + `rules:` + rules.String()
}

// server returns a Server, with an authorization or without.
func (d dice) server() string {
	return `
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: s, namespace: probe}
spec:
  podSelector: {matchLabels: {app: server}}
  port: http
  accessPolicy: ` + d.one("deny", "all-unauthenticated", "all-authenticated", "audit") + d.maybe(`
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: a, namespace: probe}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: s}
  requiredAuthenticationRefs: [{kind: ServiceAccount, name: `+d.one("client", "stranger")+`}]
`) + d.maybe(d.rateLimit()) + d.maybe(d.inboundRoute())
}

// rateLimit returns a rate limit of the Server.
func (d dice) rateLimit() string {
	return `
---
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: l, namespace: probe}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: s}
  total: {requestsPerSecond: ` + d.one("5", "20", "1000") + "}" + d.maybe("\n  identity: {requestsPerSecond: "+
		d.one("1", "4")+"}") + d.maybe(`
  overrides:
  - requestsPerSecond: 3
    clientRefs: [{kind: ServiceAccount, name: client}]`)
}

// inboundRoute returns a route of the Server, with an authorization or without.
func (d dice) inboundRoute() string {
	api := d.one("policy.linkerd.io/v1beta3", "gateway.networking.k8s.io/v1")
	group, _, _ := strings.Cut(api, "/")
	return `
---
apiVersion: ` + api + `
kind: HTTPRoute
metadata: {name: in, namespace: probe}
spec:
  parentRefs: [{group: policy.linkerd.io, kind: Server, name: s}]
  rules: [{matches: [{path: {type: ` + d.one("PathPrefix, value: /", "Exact, value: /a", "PathPrefix, value: /healthz") +
		"}" + d.maybe(", method: GET") + "}]}]" + d.maybe(`
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: b, namespace: probe}
spec:
  targetRef: {group: `+group+`, kind: HTTPRoute, name: in}
  requiredAuthenticationRefs: [{kind: ServiceAccount, name: `+d.one("client", "stranger")+`}]
`)
}

// profile returns a ServiceProfile of the Service backend.
func (d dice) profile() string {
	return `
---
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: backend.probe.svc.cluster.local, namespace: probe}
spec:
  ` + d.maybe("retryBudget: {retryRatio: "+d.one("0.2", "1")+", minRetriesPerSecond: 1, ttl: 10s}\n  ") + `routes:
  - name: r
    condition: {method: ` + d.one("GET", "POST") + ", pathRegex: " + d.one("/.*", "/a") + "}" +
		d.maybe("\n    isRetryable: true") + d.maybe("\n    timeout: "+d.one("30ms", "2s")) + d.maybe(`
  dstOverrides:
  - {authority: `+d.one("backend-v1", "both", "empty")+`.probe.svc.cluster.local:80, weight: '50'}
  - {authority: backend-v2.probe.svc.cluster.local:80, weight: '`+d.one("0", "50")+`'}`)
}

// configuration returns a recording without results.
func (d dice) configuration() recording {
	manifests := `
apiVersion: v1
kind: Service
metadata:
  name: backend
  namespace: probe` + d.annotations() + `
spec:
  selector: {app: server, version: v1}
  ports: [{name: http, port: 80, targetPort: http}]
` + d.maybe(d.route("one")) + d.maybe(d.route("two")) + d.maybe(d.server())
	if d.IntN(4) == 0 {
		manifests += d.profile()
	}
	r := recording{Manifests: manifests}
	for range 2 {
		r.Steps = append(r.Steps, step{From: d.one("client", "stranger", "outsider"), Send: []send{{
			Name: "q", Count: 12, Rate: 40, Concurrency: 4, Method: d.one("GET", "POST"), Body: d.IntN(2) * 100_000,
			URL: "http://" + d.one("backend", "both", "backend.probe.svc") + d.one("/", "/a", "/?fail=1/2",
				"/?status=500", "/?delay=50ms", "/?close=1"),
		}}})
	}
	return r
}

// TestRandomConfigurations plays random configurations that the cluster accepts, twice: nothing
// panics, every request is answered, and both times give the same answers and series.
func TestRandomConfigurations(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	answered := map[string]int{}
	for n := range 1000 {
		r := d.configuration()
		first, second := playText(t, r, answered), playText(t, r, nil)
		if first != second {
			t.Fatalf("configuration %d plays differently the second time:\n%s\n%s\n%s", n, r.Manifests, first, second)
		}
	}
	for _, status := range []string{"200", "302", "403", "404", "429", "500", "503", "504"} {
		if answered[status] == 0 {
			t.Errorf("no request was answered %s: %v", status, answered)
		}
	}
}

// playText plays a recording and returns answers and series as text.
func playText(t *testing.T, r recording, answered map[string]int) string {
	t.Helper()
	results, c, err := play(r, 7)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range results {
		total := 0
		for _, k := range slices.Sorted(maps.Keys(p.answers)) {
			fmt.Fprintln(&b, k, p.answers[k])
			total += len(p.answers[k])
			if answered != nil {
				answered[k[:3]] += len(p.answers[k])
			}
		}
		if total != 12 || len(p.answers["never answered"]) > 0 {
			t.Fatalf("%d of 12 requests were answered under:\n%s", total, r.Manifests)
		}
	}
	c.registry.Collect(c.now, func(_ int, labels []mesh.Label, v float64) { fmt.Fprintln(&b, labels, v) })
	return b.String()
}
