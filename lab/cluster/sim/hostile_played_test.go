package sim_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/run"
)

// hostileSet is a set of guardrails that is meant to break a run: parts of shortCanary, and more
// objects.
type hostileSet struct {
	spec, service, analysis, objects string
	// refused is in the message of a set that must not be played; "" if it is played.
	refused string
}

// each repeats a text with the numbers from 0 to n-1 in place of %d.
func each(n int, text, between string) string {
	var all []string
	for i := range n {
		all = append(all, strings.ReplaceAll(text, "%d", fmt.Sprint(i)))
	}
	return strings.Join(all, between)
}

const (
	hostileSteps = "interval: 10s\nthreshold: 5\nstepWeights: [50]\n"
	hostileRate  = `sum(rate(response_total{deployment="backend"}[1m]))`
)

func object(api, kind, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: develop}\nspec: %s\n", api, kind,
		name, spec)
}

func asking(query string) hostileSet {
	return hostileSet{analysis: hostileSteps + fmt.Sprintf("metrics: [{name: m, query: %q, thresholdRange: {min: 0}}]",
		query)}
}

func named(name string) hostileSet {
	return hostileSet{analysis: hostileSteps +
		fmt.Sprintf("metrics: [{name: %q, query: %q, thresholdRange: {min: 1e9}}]", name, hostileRate)}
}

func calling(webhook string) hostileSet {
	return hostileSet{analysis: hostileSteps + "webhooks: [{name: w, type: rollout, " + webhook + "}]"}
}

func with(objects string) hostileSet { return hostileSet{analysis: hostileSteps, objects: objects} }

func refused(says string, s hostileSet) hostileSet {
	s.refused = says
	return s
}

func annotatedSet(annotations string) hostileSet {
	return hostileSet{analysis: hostileSteps, service: "    apex: {annotations: {" + annotations + "}}\n"}
}

func routed(name, parent, rules string) string {
	return object("gateway.networking.k8s.io/v1", "HTTPRoute", name, fmt.Sprintf(
		"{parentRefs: [{group: core, kind: Service, name: %s, port: 80}], rules: [%s]}", parent, rules))
}

func scaled(low, high string) string {
	return object("autoscaling/v2", "HorizontalPodAutoscaler", "h", "{scaleTargetRef: {apiVersion: apps/v1, kind: "+
		"Deployment, name: backend}, minReplicas: "+low+", maxReplicas: "+high+"}")
}

// templates returns n MetricTemplates.
func templates(n int) string {
	return each(n, object("flagger.app/v1beta1", "MetricTemplate", "t%d",
		`{provider: {type: prometheus, address: "http://prometheus.linkerd-viz:9090"}, query: "vector(1)"}`), "")
}

// scaler refers to the autoscaler of scaled.
const scaler = "autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: h%s}\n"

func hostileNumbers() map[string]hostileSet {
	return map[string]hostileSet{
		"a hundred steps of a second": {analysis: "interval: 1s\nthreshold: 5\nstepWeights: [" +
			each(99, "1%d", ", ") + "]", refused: "stepWeights"},
		"steps of one percent":       {analysis: "interval: 1s\nthreshold: 5\nstepWeight: 1\nmaxWeight: 100"},
		"an interval beyond the run": {analysis: "interval: 60m\nthreshold: 1\nstepWeights: [50]"},
		"a threshold without end":    {analysis: "interval: 10s\nthreshold: 2147483647\nstepWeights: [50]"},
		"iterations without end":     {analysis: "interval: 1s\nthreshold: 1\niterations: 2147483647"},
		"a deadline of a second":     {spec: "progressDeadlineSeconds: 1\n", analysis: hostileSteps},
		"a million replicas": {spec: fmt.Sprintf(scaler, ""), analysis: hostileSteps,
			objects: scaled("1000000", "2147483647")},
		"a million primaries": {spec: fmt.Sprintf(scaler, ", primaryScalerReplicas: {minReplicas: "+
			"1000000}"), analysis: hostileSteps, objects: scaled("1", "2")},
		"two hundred templates": with(templates(190)),
		"three hundred metrics": {analysis: hostileSteps + "metrics: [" + each(300, "{name: m%d, query: "+
			"vector(%d), thresholdRange: {min: 0}}", ", ") + "]"},
		"an annotation of 200 KB":   annotatedSet("a: " + strings.Repeat("x", 200_000)),
		"retries without end":       annotatedSet(`retry.linkerd.io/http: "200-599", retry.linkerd.io/limit: "65535"`),
		"retries of every answer":   annotatedSet(`retry.linkerd.io/http: "100-599", retry.linkerd.io/limit: "10"`),
		"a timeout of a nanosecond": annotatedSet("timeout.linkerd.io/request: 1ns"),
		"a breaker that trips at once": annotatedSet(`balancer.linkerd.io/failure-accrual: consecutive, ` +
			`balancer.linkerd.io/failure-accrual-consecutive-max-failures: "1"`),
		"a cookie for ever": {analysis: hostileSteps + "sessionAffinity: {cookieName: c, maxAge: " +
			"2147483647}"},
	}
}

func hostileQueries() map[string]hostileSet {
	return map[string]hostileSet{
		"a subquery of an hour":  refused("steps", asking("max_over_time("+hostileRate+"[1h:1s])")),
		"every series":           refused("no metric name", asking(`count({__name__=~".+"})`)),
		"every label":            asking(`count(count_values("v", response_total))`),
		"a join of all with all": asking(`response_total * on(deployment) request_total`),
		"a label that doubles": asking("count(" + strings.Repeat("label_replace(", 8) +
			"response_total" + strings.Repeat(`, "pod", "$1$1$1$1", "pod", "(.*)")`, 8) + ")"),
		"a regular expression of many": asking(`sum(response_total{pod=~"((a*)*)*((b*)*)*c"})`),
		"an hour ago":                  asking("sum(response_total offset 1h)"),
		"an hour ahead":                asking("sum(response_total offset -1h)"),
		"a value beyond numbers":       asking("1e308 * 1e308 * " + hostileRate),
		"a quantile of nothing":        asking("histogram_quantile(NaN, sum by (le) (response_latency_ms_bucket))"),
		"a prediction of ages":         asking(`predict_linear(response_total{deployment="backend"}[5m], 1e300)`),
		"more than there are":          asking("topk(1e9, response_total)"),
		"a year that is none":          asking("year(vector(1e300))"),
		"rounding to nothing":          asking("round(" + hostileRate + ", 0)"),
		"names with escapes":           asking(`sum({"\u202e\u001b[2J"})`),
		"a comment with escapes":       asking(hostileRate + " # \u001b[2J\n"),
	}
}

func hostileNames() map[string]hostileSet {
	return map[string]hostileSet{
		"a script":            named("<script>alert(1)</script>"),
		"a formula":           named("=cmd|' /C calc'!A0"),
		"a command of GitHub": named("x%0A::error file=a::b"),
		"a link of Markdown":  named("a|b](javascript:alert(1)) `x` <img src=x onerror=alert(1)>"),
		"an end of CDATA":     named(`]]>&lt;"'`),
		"an escape":           refused("is not a name", named("\u001b[2J\u001b]0;x\u0007")),
		"a turn of the text":  refused("is not a name", named("\u202ex\u2066")),
		"a line of its own":   refused("is not a name", named("x\n::error file=a::b")),
	}
}

func hostileCalls() map[string]hostileSet {
	return map[string]hostileSet{
		"a path that climbs": refused("there is no gate", calling(`url: "http://gate.coalmine/../../etc/passwd"`)),
		"a host with a dot":  calling(`url: "http://gate.coalmine./policy"`),
		"a host of zero":     calling(`url: "http://0/"`),
		"a host of colons":   calling(`url: "http://[::1]:80/"`),
		"a password":         refused("password", calling(`url: "http://u:p@gate.coalmine/policy"`)),
		"a share beyond numbers": refused("percentage", calling(`url: `+
			`"http://gate.coalmine/cohort?name=merchants&max-error=1e999"`)),
		"a load without end": calling(`url: "http://flagger-loadtester.test/", metadata: {cmd: "hey -z ` +
			`1000000h -q 1000000 -c 100000 http://backend.develop/"}`),
		"a shell": calling(`url: "http://flagger-loadtester.test/", metadata: {type: bash, cmd: ` +
			`"rm -rf / $(id)"}`),
		"routes in a circle": with(routed("a", "backend-primary", "{backendRefs: [{name: backend-canary, "+
			"port: 80}]}") + routed("b", "backend-canary", "{backendRefs: [{name: backend-primary, port: 80}]}")),
		"a route to itself": with(routed("a", "backend", "{backendRefs: [{name: backend, port: 80}]}")),
		"a route of no weight": with(routed("a", "backend", "{backendRefs: [{name: backend, port: 80, "+
			"weight: 0}]}")),
		"a hundred routes": with(each(100, routed("r%d", "backend", `{matches: [{headers: [{type: `+
			`RegularExpression, name: x, value: "(a|b)*c%d"}]}]}`), "")),
		"a Server of every pod": with(object("policy.linkerd.io/v1beta3", "Server", "s", "{podSelector: {}, "+
			"port: 8080}")),
		"a profile that retries": with(object("linkerd.io/v1alpha2", "ServiceProfile",
			"backend.develop.svc.cluster.local", `{routes: [{name: a, condition: {pathRegex: "/.*"}, `+
				`isRetryable: true, responseClasses: [{condition: {status: {min: 100, max: 599}}, isFailure: `+
				`true}]}], retryBudget: {retryRatio: 1000, minRetriesPerSecond: 1000000, ttl: 60s}}`)),
		"a template from nowhere": {analysis: hostileSteps + "metrics: [{name: m, templateRef: {name: t, " +
			"namespace: nowhere}, thresholdRange: {min: 0}}]"},
		"a route from nowhere": with(strings.Replace(routed("r", "backend", "{}"), "develop", "nowhere", 1)),
	}
}

// Valid guardrails are played to the end of the run, whatever they ask for, in seconds of processor
// time; others are refused.
func TestHostileGuardrailsArePlayed(t *testing.T) {
	for _, kind := range []map[string]hostileSet{hostileNumbers(), hostileQueries(), hostileNames(), hostileCalls()} {
		for _, name := range slices.Sorted(maps.Keys(kind)) {
			t.Run(name, func(t *testing.T) { kind[name].check(t) })
		}
	}
}

func (h hostileSet) check(t *testing.T) {
	spec := withCanary(t, good, "", hostileSteps)
	text := strings.Replace(fmt.Sprintf(shortCanary, indent(h.spec, 2), indent(h.analysis, 4)), "    port: 80\n",
		h.service+"    port: 80\n", 1)
	files := map[string][]byte{"canary.yaml": []byte(text + h.objects)}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(spec.Scenario))
	if h.refused != "" || err != nil {
		if err == nil || h.refused == "" || !strings.Contains(err.Error(), h.refused) {
			t.Errorf("error %v, want %q", err, h.refused)
		}
		return
	}
	spec.Guardrails = set
	before, _ := usage(t)
	end := lastFact(t, spec)
	after, peak := usage(t)
	if end.Outcome != event.OutcomeCompleted && end.Outcome != event.OutcomeNotReady {
		t.Errorf("the run ends with %+v", end)
	}
	if took := after - before; took > 30*time.Second || peak > 700 {
		t.Errorf("it took %v of processor time, and %.0f MB at the peak of the process", took, peak)
	}
}

// lastFact plays a run and returns how it ended.
func lastFact(t *testing.T, spec cluster.RunSpec) event.RunEnded {
	t.Helper()
	var end event.RunEnded
	err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) {
		if f, ok := e.Fact.(event.RunEnded); ok {
			end = f
		}
	})
	if err != nil {
		t.Errorf("%.500v", err)
	}
	return end
}
