package lint

import (
	"fmt"
	"slices"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

const (
	// maxWeightJump is the largest increase of weight, in percentage points, that passes without a
	// warning.
	maxWeightJump = 50
	// maxExposure is the longest time a broken canary may keep its weight without a warning.
	maxExposure = 5 * time.Minute
)

func canaryRules() []Rule {
	return slices.Concat(checkRules(), rolloutRules(), routingRules())
}

const scheduler = "flagger pkg/controller/scheduler.go"

// checkRules are about what decides whether the canary is healthy.
func checkRules() []Rule {
	return []Rule{
		{Name: "skip-analysis", canary: checkSkipAnalysis,
			Section: sectionChecks,
			What:    "The Canary skips its analysis.",
			Why:     "The release reaches all users without a check.", Source: scheduler + ", shouldSkipAnalysis"},
		{Name: "suspended", canary: checkSuspended,
			Section: sectionChecks,
			What:    "The Canary is suspended.",
			Why:     "Flagger ignores a suspended Canary.", Source: scheduler + ", advanceCanary"},
		{Name: "nothing-can-fail", canary: checkNothingCanFail,
			Section: sectionChecks,
			What:    "A Canary has no metrics, and no gates while users are on it.",
			Why:     "Without metrics, gates and rollback webhooks every release passes.",
			Source:  scheduler + ", runAnalysis"},
		{Name: "builtin-metrics", canary: checkBuiltinMetrics,
			Section: sectionChecks,
			What:    "A metric has the name of one of Flagger's built-in metrics.",
			Why: "With the gatewayapi provider the built-in metrics query http_request_duration_seconds. Linkerd " +
				"does not export it, so there are no values and every check fails.",
			Source: "flagger pkg/metrics/observers/http.go"},
		{Name: "no-threshold", canary: checkNoThreshold,
			Section: sectionChecks,
			What:    "A metric has no range, or an empty one.",
			Why: "Without a range Flagger compares with threshold, which is 0. With an empty range every " +
				"value passes.",
			Source: "flagger pkg/controller/scheduler_metrics.go, runMetricChecks"},
		{Name: "one-strike", canary: checkOneStrike,
			Section: sectionChecks,
			What:    "The first failed check rolls back.",
			Why:     "One failed check rolls back. With little traffic, a single bad request aborts a healthy release.",
			Source:  "flagger pkg/apis/flagger/v1beta1/canary.go, GetAnalysisThreshold"},
	}
}

// rolloutRules are about how the canary advances and rolls back.
func rolloutRules() []Rule {
	return []Rule{
		{Name: "slow-rollback", canary: checkSlowRollback,
			Section: sectionRollout,
			What:    "A broken canary keeps its weight for more than five minutes.",
			Why: "After a failed check the weight stays. Users stay on a broken canary until the threshold " +
				"is reached.",
			Source: scheduler + ", advanceCanary"},
		{Name: "weight-jump", canary: checkWeightJump,
			Section: sectionRollout,
			What:    "The weight, or promotion, takes more than half of the users in one step; Blue/Green takes all.",
			Why:     "A large step moves most users before the previous step has shown anything about it.",
			Source:  "Google SRE Workbook, ch. 16, Canarying Releases"},
		{Name: "no-canary-traffic", canary: checkGateTraffic, query: checkQueryTraffic,
			Section: sectionRollout,
			What:    "A Blue/Green release is checked by requests that its canary does not get.",
			Why: "With iterations and no match (Blue/Green), users stay on the primary until promotion and the lab " +
				"sends nothing else to the canary: its metrics have no values, and every check of them fails.",
			Source: scheduler + ", runBlueGreen"},
		{Name: "short-horizon", needs: theScenario, canary: checkShortHorizon,
			Section: sectionRollout,
			What:    "The steps take longer than the scenario runs.",
			Why:     "A rollout whose steps take longer than the scenario runs is never promoted.",
			Source:  scheduler + ", advanceCanary: one step per interval"},
		{Name: "waiting-gate", canary: checkWaitingGate,
			Section: sectionRollout,
			What:    "A confirm gate holds the canary in front of users.",
			Why: "A confirm gate waits without a time limit, and users stay on the canary until it answers. Failed " +
				"checks still roll back: since Flagger 1.43.0 they run before the gate is called. Problems that " +
				"no check " +
				"sees do not.",
			Source: scheduler + ", advanceCanary (runAnalysis precedes runConfirmTrafficIncreaseHooks)"},
		{Name: "rollback-on-yes", canary: checkRollbackOnYes,
			Section: sectionRollout,
			What:    "A webhook of type rollback calls a gate that says yes when all is well.",
			Why:     "A webhook of type rollback rolls back when it returns 200, which a gate does when all is well.",
			Source:  "flagger pkg/controller/scheduler_hooks.go, runRollbackHooks"},
		{Name: "unsent-alert", canary: checkUnsentAlert,
			Section: sectionRollout,
			What:    "An alert has no severity.",
			Why:     "An alert without a severity is never sent.", Source: "flagger pkg/controller/events.go, alert"},
	}
}

// routingRules are about how requests reach the canary.
func routingRules() []Rule {
	return []Rule{
		{Name: "ignored-field", canary: checkIgnoredField,
			Section: sectionRouting,
			What:    "A field is set that the Gateway API provider does not read.",
			Why: "Fields for Istio and App Mesh have no effect with the Gateway API, nor has primaryCookieName " +
				"with v1beta1.",
			Source: "flagger pkg/router/gateway_api_v1beta1.go"},
		{Name: "unmatched-host", needs: theScenario, canary: checkUnmatchedHost,
			Section: sectionRouting,
			What:    "None of spec.service.hosts is one that clients call.",
			Why: "spec.service.hosts become the host names of the route. Requests for other hosts find no route " +
				"and are answered 404.",
			Source: "Gateway API, HTTPRoute hostnames; linkerd2-proxy, linkerd/http/route"},
		{Name: "cookie-match", canary: checkCookieMatch,
			Section: sectionRouting,
			What:    "A condition on the cookie header misses browsers, or takes the wrong ones.",
			Why: "A header regular expression must match the whole value, and browsers send several cookies in " +
				"any order.",
			Source: "Gateway API HTTPHeaderMatch; RFC 6265, section 5.4"},
		{Name: "target-port", needs: theScenario, canary: checkTargetPort,
			Section: sectionRouting,
			What:    "The Service sends to a port on which no pod listens.",
			Why: "Flagger's Services send to targetPort, or to port if it is not set. If no pod listens there, " +
				"requests fail.",
			Source: "flagger pkg/router/kubernetes_default.go, reconcileService"},
	}
}

func checkTargetPort(p *pass, v *flaggerv1.Canary) {
	want, known := p.set.Environment.TargetPorts[v.Spec.TargetRef.Name]
	to := v.Spec.Service.TargetPort
	if !known || to.Type == intstr.String {
		return
	}
	got := int(to.IntVal)
	if got == 0 {
		got = int(v.Spec.Service.Port)
	}
	if got != want {
		p.warn("spec.service.targetPort", fmt.Sprintf("requests would go to port %d, but the pods "+
			"listen on %d", got, want),
			fmt.Sprintf("write targetPort: %d", want))
	}
}

func checkSkipAnalysis(p *pass, v *flaggerv1.Canary) {
	if v.Spec.SkipAnalysis {
		p.warn("spec.skipAnalysis", "the release reaches all users without a check",
			"remove it unless that is intended")
	}
}

func checkSuspended(p *pass, v *flaggerv1.Canary) {
	if v.Spec.Suspend {
		p.warn("spec.suspend", "Flagger ignores a suspended Canary", "remove it")
	}
}

func checkNothingCanFail(p *pass, v *flaggerv1.Canary) {
	a := v.Spec.Analysis
	before := []flaggerv1.HookType{flaggerv1.PreRolloutHook, flaggerv1.ConfirmRolloutHook, flaggerv1.PostRolloutHook,
		flaggerv1.EventHook}
	gates := slices.ContainsFunc(a.Webhooks, func(w flaggerv1.CanaryWebhook) bool {
		return !slices.Contains(before, w.Type)
	})
	if len(a.Metrics) == 0 && !gates && !v.Spec.SkipAnalysis {
		p.warn("spec.analysis", "nothing can fail once users are on the canary: there are no metrics and no gates "+
			"of type rollout", "add metrics with a templateRef")
	}
}

func checkBuiltinMetrics(p *pass, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Metrics {
		if !guardrail.IsBuiltinMetric(m.Name) {
			continue
		}
		message := "built-in metric " + m.Name + " has no values with Linkerd, so every check of it fails"
		if m.TemplateRef != nil || m.Query != "" {
			message = "Flagger also queries its built-in metric of this name, which has no values with Linkerd"
		}
		p.warn(yamlpos.Index("spec.analysis.metrics", i)+".name", message,
			"use a MetricTemplate on response_total or response_latency_ms, with another name")
	}
}

func checkNoThreshold(p *pass, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Metrics {
		path := yamlpos.Index("spec.analysis.metrics", i)
		switch r := m.ThresholdRange; {
		case r != nil && r.Min == nil && r.Max == nil:
			p.warn(path+".thresholdRange", "the range is empty, so every value passes", "set min or max")
		case r == nil && m.Threshold == 0 && !guardrail.IsBuiltinMetric(m.Name):
			p.warn(path, "metric "+guardrail.Clip(m.Name)+" has no thresholdRange, so every value above 0 fails",
				"set thresholdRange with min or max")
		}
	}
}

func checkOneStrike(p *pass, v *flaggerv1.Canary) {
	if v.Spec.Analysis.Threshold <= 1 && len(v.Spec.Analysis.Metrics) > 0 {
		p.warn("spec.analysis.threshold", "the first failed check rolls back",
			"write 2 or more, so that chance alone does not")
	}
}

func checkSlowRollback(p *pass, v *flaggerv1.Canary) {
	threshold, interval := v.GetAnalysisThreshold(), v.GetAnalysisInterval()
	exposure := time.Duration(threshold) * interval
	if exposure > maxExposure {
		p.warn("spec.analysis.threshold", fmt.Sprintf("a broken canary keeps its weight for %s (%d checks every %s)",
			model.Duration(exposure), threshold, model.Duration(interval)), "lower threshold or interval")
	}
}

// weightSteps returns the weights that the canary goes through. The last one is promotion, 100.
func weightSteps(a *flaggerv1.CanaryAnalysis) []int {
	if a.StepWeight > 0 {
		var steps []int
		highest := a.MaxWeight
		if highest <= 0 || highest > 100 { // more is an error of its own
			highest = 100
		}
		for w := a.StepWeight; ; w += a.StepWeight {
			steps = append(steps, min(w, 100))
			if w >= highest {
				return append(steps, 100)
			}
		}
	}
	if len(a.StepWeights) == 0 {
		return nil
	}
	return append(slices.Clone(a.StepWeights), 100)
}

func checkWeightJump(p *pass, v *flaggerv1.Canary) {
	field := "spec.analysis.stepWeights"
	if v.Spec.Analysis.StepWeight > 0 {
		field = "spec.analysis.stepWeight"
	}
	if isBlueGreen(v.Spec.Analysis) {
		p.warn("spec.analysis.iterations", "promotion takes the release from no users to all at once",
			"write stepWeights, for example [5, 25, 50, 100]")
		return
	}
	last := 0
	steps := weightSteps(v.Spec.Analysis)
	for i, w := range steps {
		if w-last > maxWeightJump {
			message := fmt.Sprintf("the weight jumps from %d to %d", last, w)
			if i == len(steps)-1 {
				message = fmt.Sprintf("promotion takes the release from %d %% of users to all", last)
			}
			p.warn(field, message, "add a step in between, for example [5, 25, 50, 100]")
			return
		}
		last = w
	}
}

func checkWaitingGate(p *pass, v *flaggerv1.Canary) {
	hooks := v.Spec.Analysis.Webhooks
	if slices.ContainsFunc(hooks, func(w flaggerv1.CanaryWebhook) bool { return w.Type == flaggerv1.RollbackHook }) {
		return
	}
	for i, w := range hooks {
		if w.Type == flaggerv1.ConfirmTrafficIncreaseHook || w.Type == flaggerv1.ConfirmPromotionHook {
			message := "the gate waits without a time limit while users stay on the canary; only failed " +
				"checks roll back"
			if isBlueGreen(v.Spec.Analysis) {
				message = "the gate waits without a time limit; only failed checks roll back"
			}
			p.warn(yamlpos.Index("spec.analysis.webhooks", i)+".type", message,
				"add a webhook of type rollback, or use type rollout, which fails instead of waiting")
		}
	}
}

func checkRollbackOnYes(p *pass, v *flaggerv1.Canary) {
	for i, w := range v.Spec.Analysis.Webhooks {
		call, err := guardrail.ParseGate(w.URL)
		if w.Type == flaggerv1.RollbackHook && err == nil && call.Gate != event.GateApprove {
			p.warn(yamlpos.Index("spec.analysis.webhooks", i)+".url",
				"gate "+call.Gate+" returns 200 when all is well, and a 200 rolls back",
				"use type rollout or pre-rollout")
		}
	}
}

func checkUnsentAlert(p *pass, v *flaggerv1.Canary) {
	for i, a := range v.Spec.Analysis.Alerts {
		if a.Severity == "" {
			p.warn(yamlpos.Index("spec.analysis.alerts", i),
				"alert "+guardrail.Clip(a.Name)+" has no severity and is never sent",
				"set severity: info, warn or error")
		}
	}
}

func checkIgnoredField(p *pass, v *flaggerv1.Canary) {
	var fields []string
	for _, name := range []string{"gateways", "trafficPolicy", "retries", "corsPolicy", "meshName", "backends",
		"timeout"} {
		fields = append(fields, "spec.service."+name)
	}
	for i := range v.Spec.Service.Match {
		for _, name := range []string{"scheme", "authority", "port", "sourceLabels", "gateways", "name"} {
			fields = append(fields, yamlpos.Index("spec.service.match", i)+"."+name)
		}
	}
	for i := range v.Spec.Analysis.Match {
		fields = append(fields, yamlpos.Index("spec.analysis.match", i)+".sourceLabels")
	}
	fields = append(fields, "spec.analysis.sessionAffinity.primaryCookieName")
	for _, field := range fields {
		if p.object.Has(field) {
			p.warn(field, "has no effect with provider "+guardrail.MeshProvider, "remove it")
		}
	}
}
