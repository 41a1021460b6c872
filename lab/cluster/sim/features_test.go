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

// feature is a flight of the healthy version under guardrails of testdata/features.txtar.
func feature(t *testing.T, names ...string) cluster.RunSpec {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/features.txtar")
	if err != nil {
		t.Fatal(err)
	}
	f := flight(t, "full-rollout", "", "", 1)
	f.Version = f.Scenario.Release.Healthy
	if slices.Contains(names, "affinity.yaml") {
		releaseFrontend(&f)
	}
	files := map[string][]byte{}
	for _, file := range archive.Files {
		if slices.Contains(names, file.Name) {
			files[file.Name] = file.Data
		}
	}
	if f.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(f.Scenario)); err != nil {
		t.Fatal(err)
	}
	return f
}

// releaseFrontend turns a flight into one of the frontend, the service that users' own proxies send to.
func releaseFrontend(f *cluster.RunSpec) {
	s := *f.Scenario
	s.Services = slices.Clone(s.Services)
	front := s.Service("frontend")
	front.Versions = map[string]scenario.Version{"v1": front.Versions["v1"], "v2": front.Versions["v1"]}
	s.Release = scenario.Release{Service: "frontend", Faulty: "v1", Healthy: "v2"}
	f.Scenario, f.Version = &s, "v2"
}

func of[F event.Fact](events []event.Event) []F {
	var fs []F
	for _, e := range events {
		if f, ok := e.Fact.(F); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// weights are the steps of the canary's weight, without repetitions.
func weights(events []event.Event) []int {
	var ws []int
	for _, c := range of[event.Canary](events) {
		if len(ws) == 0 || ws[len(ws)-1] != c.Weight {
			ws = append(ws, c.Weight)
		}
	}
	return ws
}

// TestEveryHook plays stepWeight and maxWeight, stepWeightPromotion, an autoscaler, every type of webhook and alert provider.
func TestEveryHook(t *testing.T) {
	f := feature(t, "templates.yaml", "hooks.yaml")
	f.ApproveAfter = 0
	events, _ := play(t, f)
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	if got := weights(events); !slices.Equal(got, []int{0, 30, 60, 10, 0}) {
		t.Errorf("weights %v: want steps of 30 to 60 and promotion in steps of 50", got)
	}
	called := map[string]bool{}
	for _, g := range of[event.Gate](events) {
		called[g.Hook] = true
		if !g.Passed && g.Hook != "rollback" {
			t.Errorf("gate %s of hook %s said no: %s", g.Name, g.Hook, g.Reason)
		}
	}
	for _, hook := range []string{"confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "post-rollout"} {
		if !called[hook] {
			t.Errorf("no webhook of type %s was called", hook)
		}
	}
	if r := of[event.RollbackDrill](events); len(r) == 0 || !r[0].Passed || r[0].Forward != r[0].Probes {
		t.Errorf("rehearsals %+v", r)
	}
	for _, provider := range []string{"slack", "discord", "rocket", "msteams"} {
		if !slices.ContainsFunc(of[event.Alert](events), func(a event.Alert) bool {
			return a.Provider == provider && a.Canary == "backend" && strings.Contains(a.Message, "Canary analysis completed successfully")
		}) {
			t.Errorf("no alert of provider %s", provider)
		}
	}
}

func TestAlertOfAnError(t *testing.T) {
	f := feature(t, "templates.yaml", "hooks.yaml")
	f.ApproveAfter = 0
	f.Version = f.Scenario.Release.Faulty
	f.Guardrails.CanaryFor("backend").Spec.Analysis.Metrics[0].ThresholdRange.Min = ptr(99.9)
	events, _ := play(t, f)
	for _, provider := range []string{"slack", "gchat"} {
		if !slices.ContainsFunc(of[event.Alert](events), func(a event.Alert) bool {
			return a.Provider == provider && strings.HasPrefix(a.Message, "Failed checks threshold reached")
		}) {
			t.Errorf("no alert of provider %s", provider)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A gate that waits keeps the rollout from beginning, for ever.
func TestApprovalThatNeverComes(t *testing.T) {
	events, _ := play(t, feature(t, "templates.yaml", "hooks.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Waiting" {
		t.Errorf("phases %v, want the last to be Waiting", ps)
	}
}

func TestABByHeader(t *testing.T) {
	events, _ := play(t, feature(t, "templates.yaml", "ab.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	most := 0
	for _, c := range of[event.Canary](events) {
		most = max(most, c.Iterations)
	}
	if most != 4 {
		t.Errorf("%d iterations, want 4", most)
	}
	served := map[string]int{}
	for _, tr := range of[event.Traffic](events) {
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

// With session affinity a user who has seen the canary stays there; without, users are thrown again with each request.
func TestSessionAffinity(t *testing.T) {
	events, log := play(t, feature(t, "templates.yaml", "affinity.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Succeeded" {
		t.Fatalf("phases %v", ps)
	}
	if _, again := play(t, feature(t, "templates.yaml", "affinity.yaml")); again != log {
		t.Errorf("Flagger's random cookies show in the log: %s", difference(log, again))
	}
	if share := canaryShare(events, "frontend", "merchants", 20); share < 0.3 {
		t.Errorf("the canary got %.0f %% of the merchants' requests at weight 20: users do not stay", 100*share)
	}
}

// canaryShare is the canary's part of a cohort's requests that a service answered while its canary had a weight.
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

// Flagger's built-in metrics ask for series that Linkerd does not have, and a check without values fails.
func TestBuiltInMetricsHaveNoValues(t *testing.T) {
	events, _ := play(t, feature(t, "builtin.yaml"))
	if ps := phases(events); ps[len(ps)-1] != "Failed" {
		t.Errorf("phases %v, want the healthy release rolled back", ps)
	}
	qs := of[event.Query](events)
	if len(qs) == 0 || qs[0].Value != nil || qs[0].Asker != "backend" {
		t.Errorf("queries %+v", qs)
	}
}

func TestTwoCanaries(t *testing.T) {
	f := quiet(feature(t, "templates.yaml", "both.yaml"))
	events, log := play(t, f)
	names := map[string]bool{}
	for _, c := range of[event.Canary](events) {
		names[c.Name+" of "+c.Target] = true
	}
	if !names["backend of backend"] || !names["shopfront of frontend"] {
		t.Errorf("canaries %v", names)
	}
	for range 3 {
		if _, again := play(t, f); again != log {
			t.Fatalf("two canaries of one instant come in another order: %s", difference(log, again))
		}
	}
}

// Who forgets targetPort sends the mesh to the Service's port, where the pods do not listen.
func TestWrongTargetPortAnswersNobody(t *testing.T) {
	f := feature(t, "templates.yaml", "ab.yaml")
	f.Guardrails.CanaryFor("backend").Spec.Service.TargetPort = intstr.FromInt32(9999)
	events, _ := play(t, f)
	answered, failed := 0, 0
	for _, tr := range of[event.Traffic](events) {
		for _, c := range tr.Cells {
			answered += c.N
			failed += c.Errors
		}
	}
	if answered == 0 || failed < answered*9/10 {
		t.Errorf("%d of %d requests failed", failed, answered)
	}
}
