package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

// isBlueGreen reports whether the canary gets no users' requests until it is promoted.
// Source: flagger pkg/controller/scheduler.go, runCanary and runBlueGreen.
func isBlueGreen(a *flaggerv1.CanaryAnalysis) bool { return a.Iterations > 0 && len(a.Match) == 0 }

const (
	noCanaryTraffic     = "no request reaches the canary before its promotion, so %s, and every check fails"
	noCanaryTrafficHint = "write stepWeights, or match with iterations for an A/B test"
)

// checkGateTraffic reports gates that wait for requests to a canary that gets none.
func checkGateTraffic(p *pass, v *flaggerv1.Canary) {
	if !isBlueGreen(v.Spec.Analysis) {
		return
	}
	for i, w := range v.Spec.Analysis.Webhooks {
		call, err := guardrail.ParseGate(w.URL)
		if err == nil && (call.Gate == event.GateVolume || call.Gate == event.GateCohort && call.Min > 0) {
			p.warn(yamlpos.Index("spec.analysis.webhooks", i),
				fmt.Sprintf(noCanaryTraffic, "gate "+call.Gate+" counts none"),
				noCanaryTrafficHint)
		}
	}
}

// checkQueryTraffic reports queries about a canary that gets no requests.
func checkQueryTraffic(p *pass, q query) {
	if !isBlueGreen(q.canary.Spec.Analysis) || guardrail.LoadsCanary(q.canary) || evaluate(q.expr, noSeries).exists {
		return
	}
	target, ofCanary := q.canary.Spec.TargetRef.Name, false
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			ofCanary = ofCanary || slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				return (m.Name == "deployment" || m.Name == "dst_deployment") && m.Matches(target) &&
					!m.Matches(target+"-primary")
			})
		}
		return nil
	})
	if ofCanary {
		p.warn(q.metricPath, fmt.Sprintf(noCanaryTraffic, "metric "+guardrail.Clip(q.metric.Name)+" has no value"),
			noCanaryTrafficHint)
	}
}

func checkShortHorizon(p *pass, v *flaggerv1.Canary) {
	horizon, interval := p.set.Environment.Horizon, v.GetAnalysisInterval()
	steps, field := v.Spec.Analysis.Iterations, "spec.analysis.interval"
	if steps == 0 {
		steps = max(0, len(weightSteps(v.Spec.Analysis))-1)
	}
	if need := time.Duration(steps) * interval; horizon > 0 && need > horizon {
		p.warn(field, fmt.Sprintf("%d steps of %s take %s, but the scenario ends %s after the release: nothing can "+
			"be promoted",
			steps, model.Duration(interval), model.Duration(need), model.Duration(horizon)),
			"shorten the interval, or take fewer steps")
	}
}

func checkUnmatchedHost(p *pass, v *flaggerv1.Canary) {
	hosts := v.Spec.Service.Hosts
	called := guardrail.ClientHost(v.Spec.TargetRef.Name, p.set.Environment.Namespace)
	if !p.played() || len(hosts) == 0 ||
		slices.ContainsFunc(hosts, func(h string) bool { return matchesHost(h, called) }) {
		return
	}
	p.warn("spec.service.hosts", "clients call "+called+": none of their requests finds a route, and all are "+
		"answered 404",
		"add "+called+", or remove hosts")
}

// matchesHost reports whether a host name of a route, possibly with a wildcard, matches.
func matchesHost(pattern, host string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*."); wild {
		return strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(suffix))
	}
	return strings.EqualFold(pattern, host)
}
