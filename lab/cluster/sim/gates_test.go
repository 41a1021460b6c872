package sim_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// change replaces text that must be in a file.
func change(t *testing.T, files map[string][]byte, name, before, after string) {
	t.Helper()
	text := string(files[name])
	if !strings.Contains(text, before) {
		t.Fatalf("%s does not contain %q", name, before)
	}
	files[name] = []byte(strings.Replace(text, before, after, 1))
}

// solutionOf returns the files of a library solution.
func solutionOf(t *testing.T, name string) map[string][]byte {
	t.Helper()
	folder, err := scenario.Open(scenarios.Library(), name)
	if err != nil {
		t.Fatal(err)
	}
	files, err := folder.Files(scenario.Solution)
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(files)
}

// guardedBy replaces the guardrails of a run.
func guardedBy(t *testing.T, spec cluster.RunSpec, files map[string][]byte) cluster.RunSpec {
	t.Helper()
	var err error
	if spec.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(spec.Scenario)); err != nil {
		t.Fatal(err)
	}
	return spec
}

// The healthy release of mtls-first is promoted by its solution. The gates say no to each change
// that breaks what they are about.
func TestGatesSayNo(t *testing.T) {
	const (
		labels = "matchExpressions:\n      - key: app\n        operator: In\n" +
			"        values: [backend, backend-primary]"
		identity = "    - edge.develop.serviceaccount.identity.linkerd.cluster.local\n" +
			"    - mobile.develop.serviceaccount.identity.linkerd.cluster.local"
	)
	leftover := `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: a-leftover, namespace: develop}
spec:
  parentRefs: [{group: core, kind: Service, name: backend, port: 80}]
  rules: [{matches: [{path: {type: Exact, value: /}}], backendRefs: [{name: backend-canary, port: 80}]}]
`
	for name, c := range map[string]struct {
		change func(t *testing.T, files map[string][]byte, s *scenario.Service)
		gate   string
		reason string
	}{
		"no policy": {func(_ *testing.T, files map[string][]byte, _ *scenario.Service) { delete(files, "policy.yaml") },
			event.GatePolicy, "admits a client without identity"},
		"all unauthenticated": {func(t *testing.T, files map[string][]byte, _ *scenario.Service) {
			change(t, files, "policy.yaml", "proxyProtocol: HTTP/1", "proxyProtocol: HTTP/1\n"+
				"  accessPolicy: all-unauthenticated")
		}, event.GatePolicy, "admits a client without identity"},
		"any identity": {func(t *testing.T, files map[string][]byte, _ *scenario.Service) {
			change(t, files, "policy.yaml", identity, `    - "*"`)
		}, event.GatePolicy, "admits the stranger nobody.develop."},
		"any identity of another namespace": {func(t *testing.T, files map[string][]byte, _ *scenario.Service) {
			change(t, files, "policy.yaml", identity, identity+
				"\n    - \"*.nowhere.serviceaccount.identity.linkerd.cluster.local\"")
		}, event.GatePolicy, "admits the stranger nobody.nowhere."},
		"the primary is open": {func(t *testing.T, files map[string][]byte, _ *scenario.Service) {
			change(t, files, "policy.yaml", labels, "matchLabels: {app: backend}")
		}, event.GatePolicy, "primary pod"},
		"a client is missing": {func(t *testing.T, files map[string][]byte, _ *scenario.Service) {
			change(t, files, "policy.yaml", "    - mobile.develop", "    - mobil.develop")
		}, event.GatePolicy, "denies mobile"},
		"an unmeshed pod": {func(_ *testing.T, _ map[string][]byte, s *scenario.Service) {
			v := s.Versions["v3"]
			v.Annotations = map[string]string{"linkerd.io/inject": "disabled"}
			s.Versions["v3"] = v
		}, event.GateMTLS, "has no proxy"},
		"an unmeshed pod and no gate mtls": {func(t *testing.T, files map[string][]byte, s *scenario.Service) {
			v := s.Versions["v3"]
			v.Annotations = map[string]string{"linkerd.io/inject": "disabled"}
			s.Versions["v3"] = v
			change(t, files, "canary.yaml", "http://gate.coalmine/mtls", "http://gate.coalmine/policy")
		}, event.GatePolicy, "has no proxy and admits any client"},
		"a route that does not come back": {func(_ *testing.T, files map[string][]byte, _ *scenario.Service) {
			files["route.yaml"] = []byte(leftover)
		}, event.GateRollbackDrill, "of 20 probes reached the primary after the rule was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := quiet(runSpec(t, "mtls-first", "", "v3", 1))
			s := *spec.Scenario
			s.Services = slices.Clone(s.Services)
			backend := s.Service("backend")
			backend.Versions = maps.Clone(backend.Versions)
			spec.Scenario = &s
			files := solutionOf(t, "mtls-first")
			c.change(t, files, backend)
			events, _ := play(t, guardedBy(t, spec, files))
			if ps := phases(events); ps[len(ps)-1] != event.PhaseFailed {
				t.Errorf("phases %v, want the last to be Failed", ps)
			}
			said := false
			for _, g := range factsOf[event.Gate](events) {
				said = said || g.Name == c.gate && !g.Passed && strings.Contains(g.Reason, c.reason)
				if g.Name == c.gate && g.Passed {
					t.Errorf("%s said yes: %s", g.Name, g.Reason)
				}
			}
			if !said {
				t.Errorf("gate %s did not say %q: %+v", c.gate, c.reason, factsOf[event.Gate](events))
			}
		})
	}
}

// The drill waits until the clients' proxies know the canary, for as long as its webhook allows.
// Guardrails without a drill hurt users, and the log says so.
func TestDrillWaitsForTheLateCanary(t *testing.T) {
	for name, c := range map[string]struct {
		timeout string
		passed  bool
		late    bool
		reason  string
	}{
		"enough time":    {"90s", true, false, "until the clients' proxies knew the canary"},
		"too short":      {"10s", false, true, "did not know the canary yet after 6s"},
		"proxies are up": {"10s", true, false, "the primary after the rule was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := quiet(runSpec(t, "mtls-first", "", "v3", 1))
			s := *spec.Scenario
			s.ColdProxies = name != "proxies are up"
			spec.Scenario = &s
			files := solutionOf(t, "mtls-first")
			change(t, files, "canary.yaml", "timeout: 90s", "timeout: "+c.timeout)
			events, _ := play(t, guardedBy(t, spec, files))
			var first *event.Gate
			for _, g := range factsOf[event.Gate](events) {
				if g.Name == event.GateRollbackDrill && first == nil {
					first = &g
				}
			}
			if first == nil || first.Passed != c.passed || first.Late != c.late ||
				!strings.Contains(first.Reason, c.reason) {
				t.Errorf("the first drill: %+v", first)
			}
		})
	}
}
