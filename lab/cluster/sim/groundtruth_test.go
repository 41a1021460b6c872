package sim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim/network"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Versions of the backend whose faults show in every query about it.
const (
	good = "v3"
	bad  = "bad"  // half of the requests fail
	late = "late" // the same, from a minute after a pod's start on
	slow = "slow" // pods take an hour to start
)

// withCanary returns a short run of a version of the backend under a Canary with the given lines
// under spec and spec.analysis.
func withCanary(t *testing.T, version, spec, analysis string) cluster.RunSpec {
	t.Helper()
	f := runSpec(t, "full-rollout", "", version, 1)
	s := *f.Scenario
	s.Traffic.Rate = loadgen.Curve{Constant: 20}
	s.Timing = scenario.Timing{Baseline: 30 * time.Second, Horizon: 4 * time.Minute}
	s.Services = slices.Clone(s.Services)
	withTestVersions(s.Service("backend"))
	f.Scenario = &s
	files := map[string][]byte{"canary.yaml": []byte(fmt.Sprintf(shortCanary, indent(spec, 2), indent(analysis, 4))),
		"templates.yaml": []byte(shortTemplates)}
	var err error
	if f.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(&s)); err != nil {
		t.Fatal(err)
	}
	return f
}

func withTestVersions(s *scenario.Service) {
	versions := map[string]scenario.Version{}
	for name, v := range s.Versions {
		versions[name] = v
	}
	fails := service.Fault{Name: "fails", Share: 0.5, Effect: service.Effect{Status: 500}}
	later := fails
	later.When.Uptime = time.Minute
	plain := versions[good].Behaviour
	if _, ok := versions[good]; !ok { // another service than the backend
		plain = versions["v1"].Behaviour
	}
	versions[good] = scenario.Version{Behaviour: plain}
	for name, change := range map[string]func(*service.Behaviour){
		bad:  func(b *service.Behaviour) { b.Faults = []service.Fault{fails} },
		late: func(b *service.Behaviour) { b.Faults = []service.Fault{later} },
		slow: func(b *service.Behaviour) { b.StartUp = time.Hour },
	} {
		b := plain
		change(&b)
		versions[name] = scenario.Version{Behaviour: b}
	}
	s.Versions = versions
}

func indent(lines string, by int) string {
	space := strings.Repeat(" ", by)
	return space + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n"+space)
}

const shortCanary = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: backend, namespace: develop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
%s
  analysis:
%s
`

const shortTemplates = `
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: success-rate, namespace: develop}
spec:
  provider: {type: prometheus, address: "http://prometheus.linkerd-viz:9090"}
  query: |
    sum(rate(response_total{deployment="{{ target }}",direction="inbound",classification!="failure"}[{{ interval }}]))
    / sum(rate(response_total{deployment="{{ target }}",direction="inbound"}[{{ interval }}])) * 100
`

// success is a check of the success rate over half a minute.
const success = `
metrics: [{name: success-rate, templateRef: {name: success-rate}, thresholdRange: {min: 90}, interval: 30s}]`

// check is a check with an inline query that must return 1.
func check(query string) string {
	return fmt.Sprintf("\nmetrics: [{name: check, query: %q, thresholdRange: {min: 1, max: 1}, interval: 30s}]", query)
}

// status is a canary's status from a time on.
type status struct {
	at time.Duration
	event.Canary
}

// statuses returns the canary's statuses since the release.
func statuses(events []event.Event) []status {
	var list []status
	released := false
	for _, e := range events {
		switch f := e.Fact.(type) {
		case event.Released:
			released = true
		case event.Canary:
			if released {
				list = append(list, status{e.At, f})
			}
		}
	}
	return list
}

// firstStatus returns the first status that matches. Without one the test fails.
func firstStatus(t *testing.T, list []status, what string, match func(status) bool) status {
	t.Helper()
	i := slices.IndexFunc(list, match)
	if i < 0 {
		t.Fatalf("no status with %s: %+v", what, list)
	}
	return list[i]
}

func inPhase(phase string) func(status) bool { return func(s status) bool { return s.Phase == phase } }

func last(list []status) status { return list[len(list)-1] }

// firstEvent returns when Flagger first recorded an event that contains a text, or -1.
func firstEvent(events []event.Event, text string) time.Duration {
	for _, e := range events {
		if f, ok := e.Fact.(event.Flagger); ok && strings.Contains(f.Message, text) {
			return e.At
		}
	}
	return -1
}

// A failing canary, tick by tick: the first tick after the pods are ready queries nothing and moves
// to the first step, failed checks hold the weight, and the tick after the threshold is reached
// rolls back.
func TestFailingCanaryTickByTick(t *testing.T) {
	events, _ := play(t, withCanary(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success))
	list := statuses(events)
	first := firstStatus(t, list, "weight 20", func(s status) bool { return s.Weight == 20 })
	if at := firstEvent(events, "Starting canary analysis"); at != first.at {
		t.Errorf("the analysis started at %v, the weight was 20 at %v: want one tick", at, first.at)
	}
	third := firstStatus(t, list, "3 failed checks", func(s status) bool { return s.FailedChecks == 3 })
	failed := firstStatus(t, list, "Failed", inPhase(event.PhaseFailed))
	if third.at != first.at+30*time.Second || failed.at != third.at+10*time.Second {
		t.Errorf("weight 20 at %v, 3 failed checks at %v, Failed at %v: want ticks of 10 s", first.at,
			third.at, failed.at)
	}
	for _, s := range list {
		if s.Weight > 20 {
			t.Errorf("the weight rose to %d after failed checks", s.Weight)
		}
	}
	asked := time.Duration(-1)
	for _, e := range events {
		if q, ok := e.Fact.(event.Query); ok && asked < 0 && q.Metric == "success-rate" {
			asked = e.At
		}
	}
	if asked != first.at+10*time.Second {
		t.Errorf("the first check was at %v, want one tick after %v", asked, first.at)
	}
}

// Flagger raises a shorter interval to 10 s. Validation would reject it, so it is set afterwards.
func TestMinimumInterval(t *testing.T) {
	spec := withCanary(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success)
	_, want := play(t, spec)
	spec.Guardrails.CanaryFor("backend").Spec.Analysis.Interval = "3s"
	if _, got := play(t, spec); got != want {
		t.Errorf("3 s is not raised to 10 s: %s", difference(want, got))
	}
}

// Passed checks in between do not reset the failed checks, and each of them advances the canary.
func TestFailedChecksAddUp(t *testing.T) {
	events, _ := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 3\nstepWeights: [5, 10, 15, 20, 25, 30]"+
		check("floor(vector(time()) / 10) % 2")))
	list := statuses(events)
	firstStatus(t, list, "weight 15", func(s status) bool { return s.Weight == 15 })
	if ps := phases(events); ps[len(ps)-1] != event.PhaseFailed {
		t.Errorf("phases %v, want the third failed check of six to roll back", ps)
	}
}

// One pass at the last weight promotes. The canary keeps its traffic until the primary's pods are
// new.
func TestPromotionTickByTick(t *testing.T) {
	events, _ := play(t, withCanary(t, good, "", "interval: 30s\nthreshold: 3\nstepWeights: [50]"+success))
	list := statuses(events)
	step := firstStatus(t, list, "weight 50", func(s status) bool { return s.Weight == 50 })
	promoting := firstStatus(t, list, "Promoting", inPhase(event.PhasePromoting))
	finalising := firstStatus(t, list, "Finalising", inPhase(event.PhaseFinalising))
	succeeded := firstStatus(t, list, "Succeeded", inPhase(event.PhaseSucceeded))
	if promoting.at != step.at+30*time.Second || succeeded.at != finalising.at+30*time.Second {
		t.Errorf("weight 50 at %v, Promoting %v, Finalising %v, Succeeded %v", step.at, promoting.at, finalising.at,
			succeeded.at)
	}
	ready := time.Duration(-1)
	for _, e := range events {
		if w, ok := e.Fact.(event.Workload); ok && w.Name == "backend-primary" && w.Version == good &&
			w.Updated == w.Desired && w.Ready == w.Desired && ready < 0 {
			ready = e.At
		}
	}
	if ready < promoting.at || ready > finalising.at {
		t.Errorf("the primary was new at %v, not between Promoting and Finalising", ready)
	}
}

// How Flagger interprets results of checks of a healthy release.
func TestResultsOfChecks(t *testing.T) {
	for _, c := range []struct{ name, query, want string }{
		{"empty", `absent_metric`, event.PhaseFailed},
		{"not a number", `vector(0) / vector(0)`, event.PhaseFailed},
		{"or vector", `absent_metric or vector(1)`, event.PhaseSucceeded},
		{"out of range", `vector(2)`, event.PhaseFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, _ := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 2\nstepWeights: [50]"+
				check(c.query)))
			if got := last(statuses(events)).Phase; got != c.want {
				t.Errorf("phase %s, want %s", got, c.want)
			}
		})
	}
}

// In an A/B test the first rule sends matching users to the canary, the second all others to the
// primary.
func TestRulesOfAB(t *testing.T) {
	events, _ := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 2\niterations: 3\n"+
		"match: [{headers: {x-role: {exact: merchant}}}]"+success))
	found := false
	for _, r := range factsOf[event.Route](events) {
		if len(r.Rules) != 2 || share(r.Rules[0], "backend-canary") != 100 {
			continue
		}
		found = true
		if !strings.Contains(r.Rules[0].Match, "merchant") || r.Rules[1].Match != "" ||
			share(r.Rules[1], "backend-primary") != 100 {
			t.Errorf("rules %+v", r.Rules)
		}
	}
	if !found {
		t.Error("no route sent matching users to the canary")
	}
}

// share returns the weight of a Service among the backends of a rule, in percent.
func share(r event.RouteRule, service string) int {
	all, own := 0, 0
	for _, b := range r.Backends {
		all += b.Weight
		if b.Service == service {
			own += b.Weight
		}
	}
	return 100 * own / max(all, 1)
}

// closingGate serves a webhook that passes a number of times and then always fails, and returns its
// URL.
func closingGate(t *testing.T, yes int64) string {
	t.Helper()
	n, err := network.Install()
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	host := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + ".test"
	t.Cleanup(n.RegisterHandler(host, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) > yes {
			w.WriteHeader(http.StatusForbidden)
		}
	})))
	return "http://" + host + "/"
}

// A gate that waits does not delay the rollback: Flagger 1.43.0 evaluates failed checks before it
// calls a gate (pkg/controller/scheduler.go, advanceCanary: the threshold, then runAnalysis, then
// the confirm hooks), in the phases Progressing and WaitingPromotion alike. Issue 1801 of Flagger
// reports the opposite for a phase WaitingTrafficIncrease, which 1.43.0 does not have; the
// documentation (usage/webhooks, manual gating) says that the analysis halts, which is not so.
func TestFailedChecksWhileAGateWaits(t *testing.T) {
	const weighted, byMatch = "stepWeights: [20, 40]", "iterations: 2\nmatch: [{headers: {x-role: {exact: merchant}}}]"
	for _, c := range []struct {
		name, hook, version, progress, phase string
		yes                                  int64
	}{
		{"traffic increase", "confirm-traffic-increase", bad, weighted, event.PhaseProgressing, 1},
		{"promotion", "confirm-promotion", late, weighted, event.PhaseWaitingPromotion, 0},
		{"promotion of an experiment", "confirm-promotion", late, byMatch, event.PhaseWaitingPromotion, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := withCanary(t, c.version, "", "interval: 10s\nthreshold: 3\n"+c.progress+success+
				"\nwebhooks: [{name: gate, type: "+c.hook+", url: \"http://gate.coalmine/approve\"}]")
			if c.yes > 0 { // the lab's own gate is never approved
				spec.Guardrails.CanaryFor("backend").Spec.Analysis.Webhooks[0].URL = closingGate(t, c.yes)
			}
			events, _ := play(t, spec)
			if at := firstEvent(events, "approval"); c.version == late && at < 0 {
				t.Error("the gate never waited")
			}
			list := statuses(events)
			third := firstStatus(t, list, "3 failed checks", func(s status) bool { return s.FailedChecks == 3 })
			if third.Phase != c.phase {
				t.Errorf("checks failed in phase %s, want %s", third.Phase, c.phase)
			}
			if got := last(list); got.Phase != event.PhaseFailed || got.at != third.at+10*time.Second {
				t.Errorf("%s at %v, want Failed one tick after %v", got.Phase, got.at, third.at)
			}
		})
	}
}

// A gate that waits from the start keeps the weight at 0 and restarts the analysis at each tick
// (Flagger issue 1248).
func TestGateThatNeverPassesKeepsUsersAway(t *testing.T) {
	spec := withCanary(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success+
		"\nwebhooks: [{name: gate, type: confirm-traffic-increase, url: \"http://gate.coalmine/approve\"}]")
	events, _ := play(t, spec)
	if got := last(statuses(events)); got.Phase != event.PhaseProgressing || got.Weight != 0 || got.FailedChecks != 0 {
		t.Errorf("%+v, want Progressing at weight 0 without failed checks", got)
	}
}

// A ConfigMap that the target refers to is part of the release: changing only it starts an
// analysis.
func TestChangedConfigIsARelease(t *testing.T) {
	spec := withCanary(t, "v1", "", "interval: 10s\nthreshold: 2\nstepWeights: [50]"+success)
	backend := spec.Scenario.Service("backend")
	v := backend.Versions["v1"]
	if events, _ := play(t, spec); len(statuses(events)) > 0 {
		t.Errorf("releasing the baseline changed the canary: %v", phases(events))
	}
	v.Manifests = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: backend-config, namespace: develop}\n" +
		"data: {log-level: debug}\n"
	backend.Versions["v1"] = v
	events, _ := play(t, spec)
	list := statuses(events)
	firstStatus(t, list, "Progressing", inPhase(event.PhaseProgressing))
	if got := last(list).Phase; got != event.PhaseSucceeded {
		t.Errorf("phase %s, want Succeeded", got)
	}
}

func TestProgressDeadline(t *testing.T) {
	events, _ := play(t, withCanary(t, slow, "progressDeadlineSeconds: 60", "interval: 10s\nthreshold: 2\n"+
		"stepWeights: [50]"+success))
	list := statuses(events)
	begun, failed := firstStatus(t, list, "Progressing", inPhase(event.PhaseProgressing)),
		firstStatus(t, list, "Failed", inPhase(event.PhaseFailed))
	if took := failed.at - begun.at; took < time.Minute || took > 80*time.Second {
		t.Errorf("Failed after %v, want within two ticks after a minute", took)
	}
	for _, c := range canaryCells(events) {
		t.Errorf("a canary that never was ready served %+v", c)
	}
}

// canaryCells returns the cells of the backend's canary.
func canaryCells(events []event.Event) []event.Cell {
	var cells []event.Cell
	for _, tr := range factsOf[event.Traffic](events) {
		for _, c := range tr.Cells {
			if c.Workload == "backend" && c.Version != "v1" {
				cells = append(cells, c)
			}
		}
	}
	return cells
}

// Flagger's default deadline is ten minutes.
func TestDefaultProgressDeadline(t *testing.T) {
	spec := withCanary(t, slow, "", "interval: 10s\nthreshold: 2\nstepWeights: [50]"+success)
	s := *spec.Scenario
	s.Timing.Horizon = 13 * time.Minute
	spec.Scenario = &s
	events, _ := play(t, spec)
	if got := last(statuses(events)).Phase; got != event.PhaseFailed {
		t.Errorf("phase %s, want Failed", got)
	}
}

func TestSkippedAnalysis(t *testing.T) {
	events, _ := play(t, withCanary(t, bad, "skipAnalysis: true", "interval: 10s\nthreshold: 2\n"+
		"stepWeights: [50]"+success))
	if got := last(statuses(events)).Phase; got != event.PhaseSucceeded {
		t.Errorf("phase %s, want Succeeded", got)
	}
	if qs := factsOf[event.Query](events); len(qs) > 0 {
		t.Errorf("%d queries were made", len(qs))
	}
}

func TestSuspendedCanary(t *testing.T) {
	events, _ := play(t, withCanary(t, bad, "suspend: true", "interval: 10s\nthreshold: 2\nstepWeights: [50]"+success))
	if end, ok := events[len(events)-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeNotReady {
		t.Errorf("the log ends with %#v, want %s", events[len(events)-1].Fact, event.OutcomeNotReady)
	}
}

// Checks that share a template are distinguished in the log: each has its own name and bounds.
func TestChecksThatShareATemplate(t *testing.T) {
	events, _ := play(t, withCanary(t, good, "", "interval: 30s\nthreshold: 3\nstepWeights: [50]\nmetrics:\n"+
		"- {name: short, templateRef: {name: success-rate}, thresholdRange: {min: 80}, interval: 30s}\n"+
		"- {name: long, templateRef: {name: success-rate}, thresholdRange: {min: 90}, interval: 1m}"))
	asked := map[string]float64{}
	for _, q := range factsOf[event.Query](events) {
		if strings.Contains(q.PromQL, "[1m]") != (q.Metric == "long") {
			t.Errorf("check %s asked %s", q.Metric, q.PromQL)
		}
		asked[q.Metric] = *q.Min
	}
	if asked["short"] != 80 || asked["long"] != 90 {
		t.Errorf("least values %v", asked)
	}
}
