package guardrail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/event"
)

const (
	// maxWeightJump is the largest step of weight, in points, that still says something before most users are affected.
	maxWeightJump = 50
	// maxExposure is how long a broken canary may keep its weight before the linter says so.
	maxExposure = 5 * time.Minute
)

func canaryRules() []Rule {
	const scheduler = "flagger pkg/controller/scheduler.go"
	return []Rule{
		{Name: "skip-analysis", Why: "The release goes to everyone without a check.", Source: scheduler + ", shouldSkipAnalysis", canary: lintSkip},
		{Name: "suspended", Why: "Flagger does nothing for a suspended Canary.", Source: scheduler + ", advanceCanary", canary: lintSuspended},
		{Name: "nothing-can-fail", Why: "Without metrics, gates and rollback webhooks every release passes.", Source: scheduler + ", runAnalysis", canary: lintNothingCanFail},
		{Name: "builtin-metrics", Why: "Under gatewayapi the built-in metrics query http_request_duration_seconds, which Linkerd does not emit: no values, so every check fails.",
			Source: "flagger pkg/metrics/observers/http.go", canary: lintBuiltinMetrics},
		{Name: "no-threshold", Why: "Without a range Flagger compares with threshold, which is 0; with an empty range every value passes.",
			Source: "flagger pkg/controller/scheduler_metrics.go, runMetricChecks", canary: lintNoThreshold},
		{Name: "one-strike", Why: "One failed check rolls back: at low volume a single bad request aborts a healthy release.",
			Source: "flagger pkg/apis/flagger/v1beta1/canary.go, GetAnalysisThreshold", canary: lintOneStrike},
		{Name: "slow-rollback", Why: "A failed check holds the weight; users stay on a broken canary until the threshold is reached.",
			Source: scheduler + ", advanceCanary", canary: lintSlowRollback},
		{Name: "weight-jump", Why: "A large step takes most users along before the step before it says anything about it.",
			Source: "Google SRE Workbook, ch. 16, Canarying Releases", canary: lintWeightJump},
		{Name: "waiting-gate", Why: "A gate that waits has no limit: users stay on the canary until somebody answers. Failed checks still roll back meanwhile, since Flagger 1.43.0 looks at them before it asks a gate; what no check sees does not.",
			Source: scheduler + ", advanceCanary (runAnalysis comes before runConfirmTrafficIncreaseHooks and runConfirmPromotionHooks)", canary: lintWaitingGate},
		{Name: "rollback-on-yes", Why: "A webhook of type rollback rolls back when it is answered with 200, a gate's yes.",
			Source: "flagger pkg/controller/scheduler_hooks.go, runRollbackHooks", canary: lintRollbackOnYes},
		{Name: "unsent-alert", Why: "An alert without severity matches none, so it is never sent.", Source: "flagger pkg/controller/events.go, alert", canary: lintUnsentAlert},
		{Name: "ignored-field", Why: "Fields for Istio and App Mesh do nothing under the Gateway API.", Source: "flagger pkg/router/gateway_api_v1beta1.go", canary: lintIgnoredField},
		{Name: "cookie-match", Why: "A header regex must match the whole value, and browsers send cookies in any order and number.",
			Source: "Gateway API HTTPHeaderMatch; RFC 6265, section 5.4", canary: lintCookieMatch},
		{Name: "target-port", Why: "Flagger's Services lead to targetPort, or to port where it is missing; where no pod listens there, nobody gets an answer.",
			Source: "flagger pkg/router/kubernetes_default.go, reconcileService", canary: lintTargetPort},
		{Name: "unowned-experiment", Why: "An A/B test without owner, start, end and hypothesis is never ended.",
			Source: "Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments, 2020", canary: lintUnownedExperiment},
	}
}

func lintTargetPort(s *lintTarget, v *flaggerv1.Canary) {
	want, known := s.checker.env.TargetPorts[v.Spec.TargetRef.Name]
	to := v.Spec.Service.TargetPort
	if !known || to.Type == intstr.String {
		return
	}
	got := int(to.IntVal)
	if got == 0 {
		got = int(v.Spec.Service.Port)
	}
	if got != want {
		s.warn("spec.service.targetPort", fmt.Sprintf("requests would go to port %d of the pods, which listen on %d", got, want), fmt.Sprintf("write targetPort: %d", want))
	}
}

func lintSkip(s *lintTarget, v *flaggerv1.Canary) {
	if v.Spec.SkipAnalysis {
		s.warn("spec.skipAnalysis", "the release goes to everyone without a check", "take it out unless that is the point")
	}
}

func lintSuspended(s *lintTarget, v *flaggerv1.Canary) {
	if v.Spec.Suspend {
		s.warn("spec.suspend", "Flagger ignores a suspended Canary", "take it out")
	}
}

func lintNothingCanFail(s *lintTarget, v *flaggerv1.Canary) {
	a := v.Spec.Analysis
	judges := slices.ContainsFunc(a.Webhooks, func(w flaggerv1.CanaryWebhook) bool { return w.Type != flaggerv1.PostRolloutHook })
	if len(a.Metrics) == 0 && !judges && !v.Spec.SkipAnalysis {
		s.warn("spec.analysis", "nothing can fail: there are no metrics and no gates", "add metrics with a templateRef")
	}
}

func isBuiltin(name string) bool { return name == "request-success-rate" || name == "request-duration" }

func lintBuiltinMetrics(s *lintTarget, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Metrics {
		if !isBuiltin(m.Name) {
			continue
		}
		what := "built-in metric " + m.Name + " has no values under Linkerd: every check of it fails"
		if m.TemplateRef != nil || m.Query != "" {
			what = "Flagger asks the built-in metric of this name as well, and that has no values under Linkerd"
		}
		s.warn(indexPath("spec.analysis.metrics", i)+".name", what, "use a MetricTemplate over response_total or response_latency_ms, under another name")
	}
}

func lintNoThreshold(s *lintTarget, v *flaggerv1.Canary) {
	for i, m := range v.Spec.Analysis.Metrics {
		at := indexPath("spec.analysis.metrics", i)
		switch r := m.ThresholdRange; {
		case r != nil && r.Min == nil && r.Max == nil:
			s.warn(at+".thresholdRange", "the range is empty: every value passes", "write min or max")
		case r == nil && m.Threshold == 0 && !isBuiltin(m.Name):
			s.warn(at, "metric "+clip(m.Name)+" has no thresholdRange: every value above 0 fails", "write thresholdRange with min or max")
		}
	}
}

func lintOneStrike(s *lintTarget, v *flaggerv1.Canary) {
	if v.Spec.Analysis.Threshold <= 1 && len(v.Spec.Analysis.Metrics) > 0 {
		s.warn("spec.analysis.threshold", "the first failed check rolls back", "write 2 or more, so that chance alone does not")
	}
}

func lintSlowRollback(s *lintTarget, v *flaggerv1.Canary) {
	exposure := time.Duration(v.GetAnalysisThreshold()) * v.GetAnalysisInterval()
	if exposure > maxExposure {
		s.warn("spec.analysis.threshold", fmt.Sprintf("a broken canary keeps its weight for %s (%d checks, %s apart)",
			promDuration(exposure), v.GetAnalysisThreshold(), promDuration(v.GetAnalysisInterval())), "lower threshold or interval")
	}
}

// weightSteps are the weights that the canary goes through, promotion (everyone) last.
func weightSteps(a *flaggerv1.CanaryAnalysis) []int {
	if a.StepWeight > 0 {
		var w []int
		highest := a.MaxWeight
		if highest == 0 {
			highest = 100
		}
		for x := a.StepWeight; ; x += a.StepWeight {
			w = append(w, min(x, 100))
			if x >= highest {
				return append(w, 100)
			}
		}
	}
	if len(a.StepWeights) == 0 {
		return nil
	}
	return append(slices.Clone(a.StepWeights), 100)
}

func lintWeightJump(s *lintTarget, v *flaggerv1.Canary) {
	field := "spec.analysis.stepWeights"
	if v.Spec.Analysis.StepWeight > 0 {
		field = "spec.analysis.stepWeight"
	}
	last := 0
	steps := weightSteps(v.Spec.Analysis)
	for i, w := range steps {
		if w-last > maxWeightJump {
			what := fmt.Sprintf("the weight jumps from %d to %d", last, w)
			if i == len(steps)-1 {
				what = fmt.Sprintf("promotion takes the release from %d %% of users to all", last)
			}
			s.warn(field, what, "put a step in between, as in [5, 25, 50, 100]")
			return
		}
		last = w
	}
}

func lintWaitingGate(s *lintTarget, v *flaggerv1.Canary) {
	hooks := v.Spec.Analysis.Webhooks
	if slices.ContainsFunc(hooks, func(w flaggerv1.CanaryWebhook) bool { return w.Type == flaggerv1.RollbackHook }) {
		return
	}
	for i, w := range hooks {
		if w.Type == flaggerv1.ConfirmTrafficIncreaseHook || w.Type == flaggerv1.ConfirmPromotionHook {
			s.warn(indexPath("spec.analysis.webhooks", i)+".type", "the gate waits without limit, and users stay on the canary meanwhile; failed checks still roll back, what no check sees does not",
				"add a webhook of type rollback, or use type rollout, which fails instead of waiting")
		}
	}
}

func lintRollbackOnYes(s *lintTarget, v *flaggerv1.Canary) {
	for i, w := range v.Spec.Analysis.Webhooks {
		call, err := ParseGate(w.URL)
		if w.Type == flaggerv1.RollbackHook && err == nil && call.Gate != event.GateApprove {
			s.warn(indexPath("spec.analysis.webhooks", i)+".url", "gate "+call.Gate+" says yes when all is well, and a yes rolls back", "use type rollout or pre-rollout for it")
		}
	}
}

func lintUnsentAlert(s *lintTarget, v *flaggerv1.Canary) {
	for i, a := range v.Spec.Analysis.Alerts {
		if a.Severity == "" {
			s.warn(indexPath("spec.analysis.alerts", i), "alert "+clip(a.Name)+" has no severity and is never sent", "write severity: info, warn or error")
		}
	}
}

func lintIgnoredField(s *lintTarget, v *flaggerv1.Canary) {
	for _, field := range []string{"gateways", "trafficPolicy", "retries", "corsPolicy", "meshName", "backends", "timeout"} {
		if path := "spec.service." + field; s.doc.has(path) {
			s.warn(path, "is ignored under provider "+MeshProvider, "take it out, or use the Service annotations of Linkerd under spec.service.apex")
		}
	}
}

func lintUnownedExperiment(s *lintTarget, v *flaggerv1.Canary) {
	if len(v.Spec.Analysis.Match) == 0 {
		return
	}
	var missing []string
	for _, a := range []string{event.AnnotationOwner, event.AnnotationStart, event.AnnotationEnd, event.AnnotationHypothesis} {
		if strings.TrimSpace(v.Annotations[a]) == "" {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		s.warn("metadata.annotations", "the A/B test does not say "+strings.Join(missing, ", "), "add the annotations")
	}
}
