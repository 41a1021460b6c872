// Package reporttest invents trials for the tests of reports: nothing here was measured.
package reporttest

import (
	"fmt"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/report/model"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

// Scenario is the one of all trials.
func Scenario() *scenario.Scenario {
	s := &scenario.Scenario{
		Name:  "segment",
		Title: "Checkout fails for premium customers only",
		Services: []scenario.Service{{Name: script.Service, Baseline: script.Baseline,
			Versions: map[string]scenario.Version{
				script.Baseline: {Notes: "Pays."},
				script.Version:  {Notes: "Pays faster, but not for premium customers."},
			}}},
		Release: scenario.Release{Service: script.Service, Faulty: script.Version, Healthy: "v3"},
		Rubric: scenario.Rubric{
			MaxHarm: 0.15, MinCanaryRequests: 50, Preconditions: []string{"mtls"},
			Items: []scenario.RubricItem{
				{ID: "caught", Points: 30, Hint: "Add a metric for the premium cohort: the average hides a fifth of " +
					"the users."},
				{ID: "healthy-promoted", Points: 20, Hint: "Raise the threshold, or ask for more requests " +
					"before judging."},
				{ID: "harm-share", Title: "At most 15 % of the harm gets through", Points: 20,
					Hint: "Shorter intervals cost nothing while the weight is low."},
				{ID: "detect-within", Points: 10, Limit: 60},
				{ID: "cohort-harm", Points: 10, Limit: 0.2},
				{ID: "mtls", Points: 10, Hint: "Call the gate http://gate.coalmine/mtls in a pre-rollout webhook, " +
					"before the canary gets its first request."},
			},
		},
	}
	s.Objectives = slices.Grow(s.Objectives, 2)[:2]
	s.Objectives[0].Success, s.Objectives[0].Latency = 99.5, 400*time.Millisecond
	s.Objectives[1].Route, s.Objectives[1].Success = "refund", 99
	return s
}

// canary is the Canary of the invented runs.
const canary = `# The rollout of the checkout.
apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: checkout
  namespace: develop
  annotations:
    coalmine.dev/owner: payments
spec:
  targetRef: {kind: Deployment, name: checkout}
  analysis:
    interval: 10s
    threshold: 5
    stepWeights: [5, 25, 50]
    metrics:
      - name: success
        templateRef: {name: success}
        thresholdRange: {min: 99}
      - name: premium-success
        templateRef: {name: premium-success}
        thresholdRange: {min: 99}
      - name: waiting
        templateRef: {name: waiting}
        thresholdRange: {max: 500}
    webhooks:
      - name: enough requests
        type: rollout
        url: http://gate.coalmine/volume?min=100
`

// metrics are its templates.
const metrics = `apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata:
  name: success
spec:
  query: |
    sum(good)
    /
    sum(all) * 100
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata:
  name: premium-success
spec:
  query: |
    sum(good{cohort="premium"}) / sum(all{cohort="premium"}) * 100
`

// Guardrails are the manifests of all trials.
func Guardrails() map[string][]byte {
	return map[string][]byte{"canary.yaml": []byte(canary), "metrics.yaml": []byte(metrics)}
}

// looked adds the queries of one of Flagger's ticks, and the gate before them.
func looked(s *script.Script, good, premium, waited float64) {
	s.Add(event.Gate{Canary: script.Service, Name: event.GateVolume, Hook: "rollout",
		URL:   "http://gate.coalmine/volume?min=100",
		Phase: event.PhaseProgressing, Passed: true, Status: 200, Reason: "150 requests"})
	ask(s, "success", "sum(good) / sum(all) * 100", good, 99, 0)
	if good >= 99 && premium > 0 {
		ask(s, "premium-success", `sum(good{cohort="premium"}) / sum(all{cohort="premium"}) * 100`, premium, 99, 0)
	}
	if good >= 99 && (premium == 0 || premium >= 99) { // Flagger stops at the first check that fails
		ask(s, "waiting", "histogram_quantile(0.99, sum(rate(response_latency_ms_bucket[1m])) by (le))", waited, 0, 500)
	}
}

func ask(s *script.Script, metric, promQL string, v, least, most float64) {
	q := event.Query{Asker: script.Service, Metric: metric, PromQL: promQL, Value: &v}
	if least > 0 {
		q.Min = &least
	}
	if most > 0 {
		q.Max = &most
	}
	s.Add(q)
}

// Overlooked is a run whose canary is promoted because its checks see only the average.
func Overlooked(role string, seed uint64) *script.Script {
	s := script.Ready(role, seed, true).Release().Traffic(15)
	for i, w := range []int{5, 25, 50} {
		s.Canary(event.PhaseProgressing, w, 0).Traffic(30)
		looked(s, []float64{100, 99.31, 99.126}[i], 0, 108.5)
	}
	return s.Promote().Traffic(60).Complete()
}

// Noticed is a run whose canary is rolled back by the check of the premium customers.
func Noticed(seed uint64) *script.Script {
	s := script.Ready("faulty", seed, true).Gate(event.GateMTLS, true).Release().Traffic(15)
	s.Canary(event.PhaseProgressing, 5, 0).Traffic(30)
	looked(s, 100, 100, 110)
	s.Canary(event.PhaseProgressing, 25, 0).Traffic(20)
	for n := 1; n <= 5; n++ {
		looked(s, 99.2, 62.5, 0)
		s.Add(event.Flagger{Canary: script.Service, Type: "Warning",
			Message: "Halt checkout.develop advancement premium-success 62.50 < 99"})
		s.Canary(event.PhaseProgressing, 25, n).Traffic(10)
	}
	s.Add(event.Flagger{Canary: script.Service, Type: "Warning",
		Message: "Rolling back checkout.develop failed checks threshold reached 5"})
	s.Add(event.Alert{Canary: script.Service, Severity: "error", Message: "Failed checks threshold reached 5"})
	return s.Canary(event.PhaseFailed, 0, 0).Traffic(60).Complete()
}

// Alarmed is a healthy run that is rolled back by a check that is too strict.
func Alarmed(seed uint64) *script.Script {
	s := script.Ready("healthy", seed, true).Release().Traffic(15)
	s.Canary(event.PhaseProgressing, 5, 0).Traffic(30)
	for n := 1; n <= 5; n++ {
		looked(s, 98.5, 0, 0)
		s.Canary(event.PhaseProgressing, 5, n).Traffic(10)
	}
	return s.Canary(event.PhaseFailed, 0, 0).Traffic(60).Complete()
}

// Result is a run of a role.
func Result(p score.Role, s *script.Script) score.RunResult {
	t := timeline.Build(s.Events())
	return score.RunResult{Name: fmt.Sprintf("%s-seed%d", p, t.Run.Seed), Role: p, Timeline: t}
}

// Trial is a trial of runs, with the guardrails.
func Trial(runs ...score.RunResult) *model.Trial {
	s := Scenario()
	return &model.Trial{Scenario: s, Card: score.Trial(s, runs), Runs: runs, Guardrails: Guardrails()}
}

// Missed is a trial of two seeds whose incident was missed.
func Missed() *model.Trial {
	return trial(func(seed uint64) *script.Script { return Overlooked("faulty", seed) })
}

// Caught is a trial of two seeds whose incident was caught.
func Caught() *model.Trial { return trial(Noticed) }

func trial(faulty func(uint64) *script.Script) *model.Trial {
	var runs []score.RunResult
	for seed := uint64(1); seed <= 2; seed++ {
		runs = append(runs, Result(score.RoleFaulty, faulty(seed)),
			Result(score.RoleHealthy, Overlooked("healthy", seed)),
			Result(score.RoleUnguarded, script.Unguarded(seed)), Result(score.RoleReference, Noticed(seed)))
	}
	return Trial(runs...)
}

// FalseAlarm is a trial whose healthy release was rolled back.
func FalseAlarm() *model.Trial {
	return Trial(Result(score.RoleFaulty, Noticed(1)), Result(score.RoleUnguarded, script.Unguarded(1)),
		Result(score.RoleHealthy, Alarmed(1)))
}

// Single is one run of one version.
func Single() *model.Trial {
	t := Trial(Result(score.RoleFaulty, Overlooked("faulty", 1)))
	t.Card = score.Evaluate(t.Scenario, t.Runs)
	t.Single = t.Runs[0].Timeline
	return t
}

// Cut is a trial whose only log ends before anything was decided.
func Cut() *model.Trial {
	s := script.Ready("faulty", 1, true).Release().Traffic(15).Canary(event.PhaseProgressing, 5, 0).Traffic(10)
	t := Trial(Result(score.RoleFaulty, s))
	t.Notes = []string{"runs/faulty-seed1/events.jsonl: the log is cut off after line 97; the events before it count"}
	return t
}

// Hostile is a trial in which all foreign text is the given one.
func Hostile(text string) *model.Trial {
	s := script.New("faulty", 1, true)
	start := event.RunStarted{Format: event.Format, Scenario: text, Service: script.Service, Version: script.Version,
		Baseline: text,
		Role:     "faulty", Seed: 1, Cluster: text, Mesh: text, Guarded: true, Versions: map[string]string{text: text}}
	s.Events()[0].Fact = start
	s.Stage(text).Add(event.Applied{ObjectKind: text, Name: text, Owner: event.OwnerLearner, Source: text})
	s.Canary(event.PhaseInitialized, 0, 0).Traffic(10).Release().Canary(event.PhaseProgressing, 5, 0).Traffic(20)
	s.Add(event.Gate{Canary: script.Service, Name: text, URL: "http://gate.coalmine/" + text, Reason: text})
	ask(s, text, "good / all{cohort=\""+text+"\"} * 100", 98, 99, 0)
	s.Add(event.Query{Asker: script.Service, Metric: text + "2", PromQL: text, Error: text})
	s.Add(event.Flagger{Canary: script.Service, Type: "Warning", Message: text})
	s.Canary(event.PhaseProgressing, 5, 1).Add(event.Alert{Message: text, Provider: text, Severity: text})
	s.Add(event.Deleted{ObjectKind: text, Name: text}).Add(event.RollbackDrill{Reason: text})
	s.Add(event.Traffic{From: event.Seconds(31 * time.Second), To: event.Seconds(32 * time.Second), Cells: []event.Cell{
		{Cohort: text, Route: text, Workload: script.Service, Version: script.Version, N: 10, Errors: 10, Bad: 10,
			Hit: 10, Harm: 10},
		{Cohort: text, Route: text, Workload: text, Version: text, N: 5},
	}})
	s.Add(event.TrafficTotals{Users: map[string]int{text: 9}, Hurt: map[string]int{text: 3}}).Add(
		event.RunEnded{Outcome: event.OutcomeCompleted, Reason: text})

	sc := Scenario()
	sc.Name, sc.Title = text, text
	v := sc.Services[0].Versions[script.Version]
	v.Notes = text
	sc.Services[0].Versions[script.Version] = v
	for i := range sc.Rubric.Items {
		sc.Rubric.Items[i].Title, sc.Rubric.Items[i].Hint = text, text
	}
	runs := []score.RunResult{{Name: text, Role: score.RoleFaulty, Timeline: timeline.Build(s.Events())},
		Result(score.RoleHealthy, Overlooked("healthy", 1))}
	t := &model.Trial{Scenario: sc, Card: score.Trial(sc, runs), Runs: runs, Variant: text, Notes: []string{text}}
	t.Guardrails = map[string][]byte{text + ".yaml": []byte(canary + "# " + text),
		"b.yaml": []byte("# " + text + "\n# " + text), "c.yaml": []byte(metrics)}
	for i := range t.Card.Items {
		t.Card.Items[i].Reason = text
	}
	t.Card.Reason = text
	return t
}
