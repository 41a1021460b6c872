package scenario

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// minimal is the smallest valid scenario.
const minimal = `apiVersion: coalmine.dev/v1alpha1
kind: Scenario
metadata:
  name: minimal
spec:
  title: A title
  summary: A summary.
  topic: rollout
  level: 1
  services:
    - name: front
      port: 80
      replicas: 1
      baseline: v1
      versions:
        v1:
          behaviour:
            routes: {"": {latency: {p50: 5ms, p99: 10ms}, calls: back}}
    - name: back
      port: 80
      targetPort: 8080
      replicas: 2
      baseline: v1
      versions:
        v1:
          behaviour:
            routes: {"": {latency: {p50: 5ms, p99: 10ms}}}
        v2:
          behaviour:
            routes: {home: {latency: {p50: 5ms, p99: 10ms}}, "": {latency: {p50: 5ms, p99: 10ms}}}
            faults: [{name: broken, when: {routes: [home], cohorts: [users]}, effect: {status: 500}}]
        v3:
          behaviour:
            routes: {"": {latency: {p50: 5ms, p99: 10ms}}}
  clients: [{name: edge}]
  release: {service: back, faulty: v2, healthy: v3}
  traffic:
    rate: {constant: 10}
    routes: [{name: home, path: /, service: front}]
    cohorts: [{name: users, share: 1, users: 10, client: edge, mix: {home: 1}}]
  objectives: [{route: home, success: 99, latency: 100ms}, {success: 99}]
  environment: |
    apiVersion: v1
    kind: ConfigMap
  timing: {baseline: 1m, horizon: 10m}
  rubric:
    maxHarm: 0.5
    minCanaryRequests: 10
    preconditions: [mtls]
    items: [{id: caught, title: Caught, points: 10}]
`

func TestParseFillsInDefaults(t *testing.T) {
	s, _, err := parse("scenario.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	front, back := s.Service("front"), s.Released()
	if front.TargetPort != 80 || back.TargetPort != 8080 {
		t.Errorf("target ports are %d and %d, want 80 and 8080", front.TargetPort, back.TargetPort)
	}
	if front.ServiceAccount != "front" || s.Clients[0].ServiceAccount != "edge" || s.Clients[0].Replicas != 1 {
		t.Errorf("defaults are not filled in: %+v, %+v", front, s.Clients[0])
	}
	if s.Timing.Horizon != 10*time.Minute || back.Versions["v1"].Behaviour.Routes[""].Latency.P99 != 10*
		time.Millisecond {
		t.Errorf("durations are not read: %+v", s.Timing)
	}
	if s.Role("v2") != RoleFaulty || s.Role("v3") != RoleHealthy || s.Role("v1") != "" {
		t.Errorf("roles are %q, %q, %q", s.Role("v2"), s.Role("v3"), s.Role("v1"))
	}
}

func TestParseEssentialItems(t *testing.T) {
	text := strings.NewReplacer("points: 10}", "points: 10, essential: true}", "maxHarm: 0.5",
		"maxHarm: 0.5\n    minEvidence: {requests: 30, checks: 5}").Replace(minimal)
	s, _, err := parse("scenario.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := (MinEvidence{Requests: 30, Checks: 5}); s.Rubric.MinEvidence != want || !s.Rubric.Items[0].Essential {
		t.Errorf("the rubric is %+v", s.Rubric)
	}
}

// Each test breaks one line of the minimal scenario.
func TestParseFindings(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"name: minimal", "name: Mini_mal", "scenario.yaml:4: metadata.name: \"Mini_mal\" is not a valid " +
			"Kubernetes name"},
		{"title: A title", "title: ' '", "scenario.yaml:6: spec.title: is empty"},
		{"level: 1", "level: 4", "scenario.yaml:9: spec.level: is 4"},
		{"level: 1", "levle: 1", "scenario.yaml:9: Spec has no field levle"},
		{"level: 1", "level: high", "scenario.yaml:9: cannot unmarshal"},
		{"level: 1", "level: [", "scenario.yaml:"},
		{"kind: Scenario", "kind: Canary", "scenario.yaml:1: the document has apiVersion"},
		{"kind: Scenario", "kind: Workload", "and kind \"Workload\": it has no services and no release; run it with " +
			"coalmine load"},
		{"apiVersion: coalmine.dev/v1alpha1", "apiVersion: coalmine.dev/v9",
			"scenario.yaml:1: the document has apiVersion"},
		{"port: 80\n      targetPort: 8080", "port: 70000\n      targetPort: 8080",
			"scenario.yaml:20: spec.services[1].port: is 70000"},
		{"replicas: 2", "replicas: 200", "scenario.yaml:22: spec.services[1].replicas: is 200"},
		{"name: back\n", "name: front\n", "spec.services[1].name: \"front\" is already used"},
		{"replicas: 2\n      baseline: v1", "replicas: 2\n      baseline: v0",
			"scenario.yaml:23: spec.services[1].baseline: there is no version \"v0\": write one of v1, v2, v3"},
		{"calls: back", "calls: black", "calls: there is no service \"black\""},
		{"calls: back", "calls: front", "calls: front calls front"},
		{"{home: {latency", "{away: {latency", "routes.away: there is no route \"away\""},
		{"routes: [home]", "routes: [hom]", "scenario.yaml:31: " +
			"spec.services[1].versions.v2.behaviour.faults[0].when.routes[0]: there is no route \"hom\": write " +
			"one of home"},
		{"cohorts: [users]", "cohorts: [bots]", "when.cohorts[0]: there is no cohort \"bots\""},
		{"[{name: edge}]", "[]", "spec.clients: there are 0 clients"},
		{"[{name: edge}]", "[{name: front}]", "spec.clients[0].name: \"front\" is already used"},
		{"service: back,", "service: bakc,", "spec.release.service: there is no service \"bakc\""},
		{"faulty: v2", "faulty: v7", "spec.release.faulty: there is no version \"v7\""},
		{"faulty: v2", "faulty: v1", "spec.release.faulty: \"v1\" already runs"},
		{"healthy: v3", "healthy: v2", "spec.release.healthy: \"v2\" is also the faulty version"},
		{"path: /, service: front", "path: /, service: fronz",
			"spec.traffic.routes[0].service: there is no service \"fronz\""},
		{"client: edge", "client: egde", "spec.traffic.cohorts[0].client: there is no client \"egde\": write " +
			"one of edge"},
		{"share: 1", "share: 0.7", "scenario.yaml:40: spec.traffic.cohorts: shares sum to 0.7"},
		{"mix: {home: 1}", "mix: {hom: 1}", "spec.traffic.cohorts[0].mix: route \"hom\""},
		{"path: /,", "path: x,", "scenario.yaml:39: spec.traffic.routes[0].path: "},
		{"{route: home, success", "{route: hone, success", "spec.objectives[0].route: there is no route \"hone\""},
		{"{route: home, success", "{success", "spec.objectives[1].route: route \"\" already has an objective"},
		{"{success: 99}", "{success: 101}", "spec.objectives[1].success: is 101"},
		{"kind: ConfigMap", "sort: ConfigMap", "spec.environment: document 1 lacks apiVersion or kind"},
		{"kind: ConfigMap", "kind: [", "spec.environment: document 1: "},
		{"baseline: 1m", "baseline: 2h", "spec.timing.baseline: is 2h0m0s"},
		{"baseline: 1m", "baseline: 90", "scenario.yaml:"},
		{"horizon: 10m", "horizon: 0s", "spec.timing.horizon: is 0s"},
		{"maxHarm: 0.5", "maxHarm: .nan", "spec.rubric.maxHarm: is NaN"},
		{
			"preconditions: [mtls]", "preconditions: [mtls]\n    minEvidence: {checks: -1}",
			"scenario.yaml:50: spec.rubric.minEvidence.checks: is -1: write 0 or more",
		},
		{"preconditions: [mtls]", "preconditions: [tls]", "spec.rubric.preconditions[0]: there is no precondition " +
			"\"tls\": write one of mtls, policy, rehearsal"},
		{"id: caught", "id: ''", "spec.rubric.items[0].id: is empty"},
		{"points: 10", "points: 0", "spec.rubric.items[0].points: is 0"},
		{"points: 10}]", "points: 10}]\n---\nkind: Scenario", "a second document"},
	} {
		if strings.Count(minimal, test.old) == 0 {
			t.Fatalf("%q is not in the minimal scenario", test.old)
		}
		_, _, err := parse("scenario.yaml", []byte(strings.Replace(minimal, test.old, test.new, 1)))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%q for %q: error is %v, want problems", test.new, test.old, err)
			continue
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), test.want) }) {
			t.Errorf("%q for %q: no problem contains %q:\n%v", test.new, test.old, test.want, err)
		}
	}
}

func TestParseEmpty(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n"} {
		if _, _, err := parse("x.yaml", []byte(text)); err == nil ||
			!strings.Contains(err.Error(), "x.yaml:1: the file is empty") {
			t.Errorf("%q: error is %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("apiVersion: coalmine.dev/v1alpha1\nkind: Scenario\nspec: {services: [{versions: {v1: ~}}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _, err := parse("scenario.yaml", data)
		if (s == nil) == (err == nil) {
			t.Errorf("scenario %v with error %v", s, err)
		}
		var problems Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Errorf("error of type %T: %v", err, err)
		}
	})
}

func TestCallers(t *testing.T) {
	s, _, err := parse("scenario.yaml", []byte(strings.Replace(minimal, "client: edge, ", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	// The cohort names no client, so the first client sends its requests; front calls back.
	for service, want := range map[string][]string{"front": {"edge"}, "back": {"front"}, "nowhere": nil} {
		if got := s.Callers(service); !slices.Equal(got, want) {
			t.Errorf("callers of %s are %v, want %v", service, got, want)
		}
	}
}

func TestCallersBySessionAndZipf(t *testing.T) {
	for _, asks := range []string{
		"zipf: {exponent: 1, routes: [home]}",
		"session: {length: 2, think: {constant: 1s}, start: {home: 1}}",
		"session: {length: 2, think: {constant: 1s}, start: {aside: 1}, next: {aside: {home: 1}}}",
	} {
		text := strings.NewReplacer("mix: {home: 1}", asks, "service: front}]",
			"service: front}, {name: aside, path: /aside, service: back}]").Replace(minimal)
		s, _, err := parse("scenario.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Callers("front"); !slices.Equal(got, []string{"edge"}) {
			t.Errorf("%s: the callers of front are %v", asks, got)
		}
		if got := s.Callers("back"); slices.Contains(got, "edge") != strings.Contains(asks, "aside") {
			t.Errorf("%s: the callers of back are %v", asks, got)
		}
	}
}

// A finding below an alias has the line of the anchored node.
func TestFindingBelowAnAlias(t *testing.T) {
	text := strings.Replace(minimal, "        v3:\n          behaviour:\n            routes: {\"\": {latency: {p50: "+
		"5ms, p99: 10ms}}}",
		"        v3:\n          behaviour: &broken\n            routes:\n              \"\": {latency: {p50: 5ms, "+
			"p99: 1ms}}\n        v4:\n          behaviour: *broken", 1)
	_, _, err := parse("scenario.yaml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 2 || problems[0].Line != problems[1].Line {
		t.Errorf("problems %v, want the same one for v3 and v4, in one line", err)
	}
}
