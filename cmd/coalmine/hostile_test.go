package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"coalmine/lab/verdict/score"
)

// Parts of manifests that the table below completes.
const (
	hostileCanary = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend, namespace: develop}
spec:
  provider: gatewayapi:v1beta1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
%s  analysis:
    interval: 30s
    threshold: 2
%s`
	hostileRoute = `---
apiVersion: %s
kind: HTTPRoute
metadata: {name: r, namespace: develop}
spec:
  parentRefs: [{group: core, kind: Service, name: backend, port: 80}]
  rules: %s
`
	hostileScaler = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h, namespace: develop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  maxReplicas: 3
  metrics: [%s]
%s`
	hostileProfile = `---
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: backend.develop.svc.cluster.local, namespace: develop}
spec: {routes: [{name: a, condition: {pathRegex: '%s'}}]}
`
	gatewayV1    = "gateway.networking.k8s.io/v1"
	linkerdV1    = "policy.linkerd.io/v1beta3"
	bySteps      = "    stepWeights: [10, 50]\n"
	byIterations = "    iterations: 5\n"
	// costly is a regular expression that takes gigabytes to compile.
	costly = `(a|b){0,999}(a|b){0,999}(a|b){0,999}(a|b){0,999}(a|b){0,999}(a|b){0,999}(a|b){0,999}(a|b){0,999}`
)

// withEdit is a valid Canary with a text replaced.
func withEdit(old, new string) string { return strings.Replace(canaryWith("", bySteps), old, new, 1) }

func canaryWith(service, analysis string) string {
	return fmt.Sprintf(hostileCanary, service, analysis)
}

func withMetric(query string) string {
	return canaryWith("", bySteps+fmt.Sprintf("    metrics: [{name: m, query: %q, thresholdRange: {min: 0}}]\n", query))
}

// numbered repeats a text with the numbers from 0 to n-1 in place of %d, with commas between.
func numbered(n int, text string) string {
	var all []string
	for i := range n {
		all = append(all, strings.ReplaceAll(text, "%d", strconv.Itoa(i)))
	}
	return strings.Join(all, ",")
}

func withHeaders(n int) string {
	return canaryWith("", byIterations+"    match: [{headers: {"+numbered(n, `h%d: {regex: "`+costly+`"}`)+"}}]\n")
}

func withMetrics(n int, query string) string {
	metric := fmt.Sprintf("{name: m%%d, query: %q, thresholdRange: {min: 0}}", query)
	return canaryWith("", bySteps+"    metrics: ["+numbered(n, metric)+"]\n")
}

func withScaler(metric, more string) string {
	return canaryWith("", bySteps) + fmt.Sprintf(hostileScaler, metric, more)
}

func withRoute(api, rules string) string {
	return canaryWith("", bySteps) + fmt.Sprintf(hostileRoute, api, rules)
}

// matching is a route that matches by a regular expression.
func matching(api, what, expr string) string {
	match := fmt.Sprintf(what, "type: RegularExpression, value: '"+expr+"'")
	return withRoute(api, "[{matches: [{"+match+"}]}]")
}

func withBound(bound string) string {
	return canaryWith("", bySteps+"    metrics: [{name: m, query: vector(1), thresholdRange: {"+bound+"}}]\n")
}

func quantity(kind, field string) string {
	return fmt.Sprintf("{type: %s, %s: {%s, target: {type: AverageValue, averageValue: '1e-2147483648'}}}", kind,
		strings.ToLower(kind[:1])+kind[1:], field)
}

// hostile is a manifest and what lint says of it: a part of its message, or "" if it is valid.
type hostile struct{ manifest, says string }

// hostileManifests lists them by the kind of attack. Attacks that need no command are in the tests of
// packages guardrail (YAML, files, names, bounds), sim and prom (queries that are played), folder and
// result (run folders), bundle, accesslog and worker.
func hostileManifests() map[string]map[string]hostile {
	const quantityError = "is not a valid Quantity"
	return map[string]map[string]hostile{
		"quantities that take forever": {
			"resource":  {withScaler(quantity("Resource", "name: cpu"), ""), quantityError},
			"pods":      {withScaler(quantity("Pods", "metric: {name: rps}"), ""), quantityError},
			"container": {withScaler(quantity("ContainerResource", "name: cpu, container: c"), ""), quantityError},
			"object": {withScaler(quantity("Object", "metric: {name: x}, describedObject: {kind: Service, name: b}"),
				""), quantityError},
			"tolerance": {withScaler("{type: Resource, resource: {name: cpu, target: {type: Utilization, "+
				"averageUtilization: 50}}}", "  behavior: {scaleUp: {tolerance: '1e-2147483648'}}\n"), quantityError},
		},
		"regular expressions that nobody compiles": {
			"path":            {matching(gatewayV1, "path: {%s}", "(["), "missing closing ]"},
			"query parameter": {matching(gatewayV1, "queryParams: [{name: q, %s}]", "(["), "missing closing ]"},
			"endless parameter": {matching(gatewayV1, "queryParams: [{name: q, %s}]",
				"(["+strings.Repeat("a", 900_000)), "may not be more than 1024 bytes"},
			"header":           {matching(gatewayV1, "headers: [{name: q, %s}]", "(["), "missing closing ]"},
			"route of Linkerd": {matching(linkerdV1, "path: {%s}", "(["), "missing closing ]"},
			"profile":          {canaryWith("", bySteps) + fmt.Sprintf(hostileProfile, "(["), "missing closing ]"},
			"match of service": {canaryWith("    match: [{uri: {regex: '(['}}]\n", bySteps), "missing closing ]"},
			"match of test": {canaryWith("", byIterations+"    match: [{headers: {x: {regex: '(['}}}]\n"),
				"missing closing ]"},
			"name of a header": {canaryWith("", byIterations+`    match: [{headers: {"a b\e": {exact: x}}}]`+"\n"),
				"is not the name of a header"},
			"name of a header to add": {canaryWith("    headers: {request: {add: {'a b': x}}}\n", bySteps),
				"is not the name of a header"},
			"name of a header to remove": {canaryWith("    headers: {response: {remove: ['']}}\n", bySteps),
				"is not the name of a header"},
			"name of a cookie": {canaryWith("", bySteps+"    sessionAffinity: {cookieName: '([', maxAge: 60}\n"),
				"cookieName"},
			"label_replace": {withMetric(`label_replace(response_total, "a", "$1", "pod", "([")`), ""},
		},
		"regular expressions that cost too much": {
			"path":    {matching(gatewayV1, "path: {%s}", costly), "is too costly"},
			"profile": {canaryWith("", bySteps) + fmt.Sprintf(hostileProfile, costly), "is too costly"},
			"headers": {withHeaders(200), "is too costly"}, "many headers": {withHeaders(1700), "has 1700 entries"},
			"many queries": {withMetrics(30, "sum(response_total{"+numbered(200, `l%d=~"(a*){0,999}"`)+"})"),
				"is too costly"},
			"matcher": {withMetric(`sum(response_total{pod=~"` + costly + `"})`), "is too costly"},
			"label_replace": {withMetric(`label_replace(response_total, "a", "$1", "pod", "` + costly + `")`),
				"is too costly"},
		},
		"queries that break an engine": {
			"subquery without a step": {withMetric(`max_over_time(sum(response_total)[5m:])`), ""},
			"nested subqueries": {withMetric(`max_over_time(max_over_time(sum(response_total)[5m:])[5m:])`),
				""},
			"many steps": {withMetric(`max_over_time(sum(response_total)[5m:1ms])`), "subquer"},
			"long ago":   {withMetric(`sum(response_total offset 290y)`), "offset"},
			"infinite":   {withMetric(`vector(1) / vector(0)`), ""},
			"quantile over one": {withMetric(`histogram_quantile(99, sum(rate(response_latency_ms_bucket{` +
				`deployment="backend"}[1m])) by (le))`), ""},
		},
		"routes that lead nowhere": {
			"rules that are null": {withRoute(gatewayV1, "null"), ""},
			"no rules":            {withRoute(gatewayV1, "[]"), ""},
			"an empty rule":       {withRoute(gatewayV1, "[{}]"), ""},
			"a redirect to itself": {withRoute(gatewayV1, "[{filters: [{type: RequestRedirect}]}]"),
				"requestRedirect"},
			"a filter of nothing": {withRoute(gatewayV1, "[{filters: [{type: RequestHeaderModifier}]}]"),
				"equestHeaderModifier"},
			"a timeout of ages": {withRoute(gatewayV1, "[{timeouts: {request: 99999999h}}]"), "timeouts"},
		},
		"numbers beyond their type": {
			"interval": {withEdit("30s", "9999999999h"), "interval"},
			"deadline": {withEdit("  service:", "  progressDeadlineSeconds: 1e300\n  service:"),
				"progressDeadlineSeconds"},
			"weight":      {canaryWith("", "    stepWeights: [1e10]\n"), "stepWeights"},
			"not a bound": {withBound("min: .nan"), "min"},
			"infinity":    {withBound("max: .inf"), "max"},
			"port": {withEdit("targetPort: 8080", "targetPort: 65536"),
				"targetPort"},
		},
		"texts that steer a terminal": {
			"name":       {withEdit("name: backend, ", `name: "b\e[2J", `), "name"},
			"annotation": {withEdit("develop}", `develop, annotations: {"\e[2J": x}}`), "annotations"},
			"kind": {canaryWith("", bySteps) + "---\napiVersion: \"v\\e[2J\"\nkind: \"W\\e[2J\"\nmetadata: {name: x}\n",
				""},
			"metric": {canaryWith("", bySteps+
				`    metrics: [{name: "m\e[2J", query: "(", thresholdRange: {min: 0}}]`+"\n"), "query"},
			"webhook": {canaryWith("", bySteps+
				`    webhooks: [{name: "w\e[2J", type: "r\e[2J", url: "http://x/\e[2J"}]`+"\n"), "webhooks"},
			"comment": {withEdit("threshold: 2", "threshold: 2 # coalmine:ignore \u202e x"), ""},
		},
	}
}

// Each manifest is refused or accepted with a sentence, in time, and without a byte that could steer a
// terminal.
func TestHostileManifests(t *testing.T) {
	for kind, all := range hostileManifests() {
		for name, c := range all {
			t.Run(kind+"/"+name, func(t *testing.T) {
				th := newTestEnv(t, &fakeCluster{})
				if err := os.WriteFile(filepath.Join(th.Dir, "canary.yaml"), []byte(c.manifest), 0o600); err != nil {
					t.Fatal(err)
				}
				commands, want := [][]string{{"lint", "canary.yaml", "--scenario", "full-rollout"}}, score.ExitPassed
				if c.says != "" {
					want = score.ExitInvalid
					commands = append(commands, []string{"run", "full-rollout", "-g", "canary.yaml"})
				}
				for _, args := range commands {
					var code int
					within(t, time.Minute, func() { code = th.run(t.Context(), args...) })
					both := th.out.String() + th.err.String()
					if code != want || !strings.Contains(both, c.says) {
						t.Errorf("%s: exit code %d, want %d and %q:\n%.2000s", args[0], code, want, c.says, both)
					}
					checkHarmless(t, both)
				}
			})
		}
	}
}

// within ends a test that takes longer than a limit, so that it fails in place of hanging.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("it is not done after %v", limit)
	}
}

// checkHarmless checks that an output has no control character, no stack, and no endless line.
func checkHarmless(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\x1b\a\r\x00\u009b\u202e\u2028") || strings.Contains(text, "goroutine ") {
		t.Errorf("it prints %.500q", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 4000 {
			t.Errorf("it prints a line of %d bytes: %.200q …", len(line), line)
		}
	}
}

// Scenarios of others are input as well.
func TestHostileScenarios(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"a limit that is no number":   {"limit: 0.1", "limit: .nan", "limit"},
		"an infinite limit":           {"limit: 0.1", "limit: .inf", "limit"},
		"a rate without end":          {"rate: {constant: 120}", "rate: {constant: .inf}", "rate"},
		"a rate that is no number":    {"rate: {constant: 120}", "rate: {constant: .nan}", "rate"},
		"a rate beyond the machine":   {"rate: {constant: 120}", "rate: {constant: 1e300}", "rate"},
		"a horizon of centuries":      {"horizon: 12m", "horizon: 2000000h", "horizon"},
		"a latency that is no number": {"p50: 5ms", "p50: .nan", "Duration"},
		"a share that is no number":   {"share: 0.79", "share: .nan", "share"},
		"points beyond numbers":       {"points: 40", "points: 99999999999999999999", "points"},
		"many users":                  {"users: 5000", "users: 9223372036854775807", "users"},
		"a title with escapes":        {"points: 40", "points: \"\\e]0;x\\a\"", "into int"},
		"a range upside down":         {"min: 3, max: 5", "min: 5, max: 3", "min"},
		"a range without end":         {"min: 3, max: 5", "min: 3, max: .inf", "max"},
	} {
		t.Run(name, func(t *testing.T) {
			th := newTestEnv(t, &fakeCluster{})
			th.forkScenario(t, "full-rollout", "own", replaceText(c.from, c.to))
			code := th.run(t.Context(), "run", "./own", "-g", "naive", "--trials", "1")
			both := th.out.String() + th.err.String()
			if code != score.ExitInvalid || !strings.Contains(both, c.says) {
				t.Errorf("exit code %d, want %d and %q:\n%.2000s", code, score.ExitInvalid, c.says, both)
			}
			checkHarmless(t, both)
			if _, err := os.Stat(filepath.Join(th.Dir, "runs")); err == nil {
				t.Error("a run folder was made")
			}
		})
	}
}
