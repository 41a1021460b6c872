package sim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// feature is a run of the healthy version under guardrails of testdata/features.txtar.
func feature(t *testing.T, names ...string) cluster.RunSpec {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/features.txtar")
	if err != nil {
		t.Fatal(err)
	}
	spec := runSpec(t, "full-rollout", "", "", 1)
	spec.Version = spec.Scenario.Release.Healthy
	if slices.Contains(names, "affinity.yaml") {
		releaseFrontend(&spec)
	}
	files := map[string][]byte{}
	for _, file := range archive.Files {
		if slices.Contains(names, file.Name) {
			files[file.Name] = file.Data
		}
	}
	if spec.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(spec.Scenario)); err != nil {
		t.Fatal(err)
	}
	return spec
}

// releaseFrontend changes the released service to the frontend, which users' own proxies call.
func releaseFrontend(spec *cluster.RunSpec) {
	s := *spec.Scenario
	s.Services = slices.Clone(s.Services)
	front := s.Service("frontend")
	front.Versions = map[string]scenario.Version{"v1": front.Versions["v1"], "v2": front.Versions["v1"]}
	s.Release = scenario.Release{Service: "frontend", Faulty: "v1", Healthy: "v2"}
	spec.Scenario, spec.Version = &s, "v2"
}

func factsOf[F event.Fact](events []event.Event) []F {
	var fs []F
	for _, e := range events {
		if f, ok := e.Fact.(F); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// weights returns the successive weights of the canary.
func weights(events []event.Event) []int {
	var ws []int
	for _, c := range factsOf[event.Canary](events) {
		if len(ws) == 0 || ws[len(ws)-1] != c.Weight {
			ws = append(ws, c.Weight)
		}
	}
	return ws
}

// TestEveryHook covers stepWeight and maxWeight, stepWeightPromotion, an autoscaler, and every type
// of webhook and alert provider.
func TestEveryHook(t *testing.T) {
	spec := feature(t, "templates.yaml", "hooks.yaml")
	spec.ApproveAfter = 0
	events, _ := play(t, spec)
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	if got := weights(events); !slices.Equal(got, []int{0, 30, 60, 10, 0}) {
		t.Errorf("weights %v: want steps of 30 to 60 and promotion in steps of 50", got)
	}
	called := map[string]bool{}
	for _, g := range factsOf[event.Gate](events) {
		called[g.Hook] = true
		// The canary may have had no requests yet when the gate for volume is asked first.
		if !g.Passed && g.Hook != "rollback" && g.Name != event.GateVolume {
			t.Errorf("gate %s of hook %s failed: %s", g.Name, g.Hook, g.Reason)
		}
	}
	for _, hook := range []string{"confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase",
		"confirm-promotion", "rollback", "post-rollout"} {
		if !called[hook] {
			t.Errorf("no webhook of type %s was called", hook)
		}
	}
	if r := factsOf[event.RollbackDrill](events); len(r) == 0 || !r[0].Passed || r[0].Forward != r[0].Probes {
		t.Errorf("rollback drills %+v", r)
	}
	for _, provider := range []string{"slack", "discord", "rocket", "msteams"} {
		if !slices.ContainsFunc(factsOf[event.Alert](events), func(a event.Alert) bool {
			return a.Provider == provider && a.Canary == "backend" &&
				strings.Contains(a.Message, "Canary analysis completed successfully")
		}) {
			t.Errorf("no alert of provider %s", provider)
		}
	}
}

func TestAlertOfAnError(t *testing.T) {
	spec := feature(t, "templates.yaml", "hooks.yaml")
	spec.ApproveAfter = 0
	spec.Version = spec.Scenario.Release.Faulty
	spec.Guardrails.CanaryFor("backend").Spec.Analysis.Metrics[0].ThresholdRange.Min = ptr(99.9)
	events, _ := play(t, spec)
	for _, provider := range []string{"slack", "gchat"} {
		if !slices.ContainsFunc(factsOf[event.Alert](events), func(a event.Alert) bool {
			return a.Provider == provider && strings.HasPrefix(a.Message, "Failed checks threshold reached")
		}) {
			t.Errorf("no alert of provider %s", provider)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A gate that never passes keeps the rollout from starting.
func TestMissingApproval(t *testing.T) {
	events, _ := play(t, feature(t, "templates.yaml", "hooks.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Waiting" {
		t.Errorf("phases %v, want Waiting last", ps)
	}
}

func TestABByHeader(t *testing.T) {
	events, _ := play(t, feature(t, "templates.yaml", "ab.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	most := 0
	for _, c := range factsOf[event.Canary](events) {
		most = max(most, c.Iterations)
	}
	if most != 4 {
		t.Errorf("%d iterations, want 4", most)
	}
	served := map[string]int{}
	for _, tr := range factsOf[event.Traffic](events) {
		for _, c := range tr.Cells {
			if c.Workload == "backend" {
				served[c.Cohort] += c.N
			}
		}
	}
	if served["merchants"] == 0 || served["shoppers"] != 0 {
		t.Errorf("the canary served %v: want merchants only", served)
	}
}

// With session affinity a user who has reached the canary stays there; without it, each request is
// routed independently.
func TestSessionAffinity(t *testing.T) {
	events, log := play(t, feature(t, "templates.yaml", "affinity.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	if _, again := play(t, feature(t, "templates.yaml", "affinity.yaml")); again != log {
		t.Errorf("Flagger's random cookies show in the log: %s", difference(log, again))
	}
	if share := canaryShare(events, "frontend", "merchants", 20); share < 0.3 {
		t.Errorf("the canary got %.0f %% of the merchants' requests at weight 20: users must stay", 100*share)
	}
}

// canaryShare returns the canary's share of a cohort's requests while the canary had a weight.
func canaryShare(events []event.Event, service, cohort string, weight int) float64 {
	now, canary, all := 0, 0, 0
	for _, e := range events {
		switch f := e.Fact.(type) {
		case event.Canary:
			now = f.Weight
		case event.Traffic:
			for _, c := range f.Cells {
				if now != weight || c.Cohort != cohort {
					continue
				}
				all += c.N
				if c.Workload == service {
					canary += c.N
				}
			}
		}
	}
	return float64(canary) / float64(max(all, 1))
}

// Flagger's built-in metrics query series that Linkerd does not export, and a check without values
// fails.
func TestBuiltInMetricsHaveNoValues(t *testing.T) {
	events, _ := play(t, feature(t, "builtin.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Failed" {
		t.Errorf("phases %v, want the healthy release rolled back", ps)
	}
	qs := factsOf[event.Query](events)
	if len(qs) == 0 || qs[0].Value != nil || qs[0].Asker != "backend" {
		t.Errorf("queries %+v", qs)
	}
}

func TestTwoCanaries(t *testing.T) {
	spec := quiet(feature(t, "templates.yaml", "both.yaml"))
	events, log := play(t, spec)
	names := map[string]bool{}
	for _, c := range factsOf[event.Canary](events) {
		names[c.Name+" of "+c.Target] = true
	}
	if !names["backend of backend"] || !names["shopfront of frontend"] {
		t.Errorf("canaries %v", names)
	}
	for range 3 {
		if _, again := play(t, spec); again != log {
			t.Fatalf("the log of two canaries differs: %s", difference(log, again))
		}
	}
}

// Without targetPort the mesh sends requests to the Service's port, where the pods do not listen.
func TestWrongTargetPortFails(t *testing.T) {
	spec := feature(t, "templates.yaml", "ab.yaml")
	spec.Guardrails.CanaryFor("backend").Spec.Service.TargetPort = intstr.FromInt32(9999)
	events, _ := play(t, spec)
	answered, failed := 0, 0
	for _, tr := range factsOf[event.Traffic](events) {
		for _, c := range tr.Cells {
			answered += c.N
			failed += c.Errors
		}
	}
	if answered == 0 || failed < answered*9/10 {
		t.Errorf("%d of %d requests failed", failed, answered)
	}
}
