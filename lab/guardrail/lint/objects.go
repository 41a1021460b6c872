package lint

import (
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

func objectRules() []Rule {
	return []Rule{
		{Name: "server-misses-primary", needs: theScenario, whole: true, object: checkServerMissesPrimary,
			Section: sectionPolicies,
			What:    "A Server selects the canary and not the primary.",
			Why: "Flagger labels the primary's pods app: X-primary, so a Server that selects app: X covers only " +
				"the canary.",
			Source: "flagger pkg/canary/deployment_controller.go, getSelectorLabel"},
		{Name: "unused", whole: true, object: checkUnused,
			Section: sectionFolder, Severity: guardrail.SeverityNote,
			What:   "A MetricTemplate or AlertProvider is not used.",
			Why:    "A MetricTemplate or AlertProvider has no effect unless a Canary refers to it.",
			Source: "flagger pkg/controller/scheduler_metrics.go"},
		{Name: "dangling-policy", whole: true, object: checkDanglingPolicy,
			Section: sectionPolicies,
			What:    "A policy refers to an object that the manifests do not have.",
			Why:     "A policy whose target or authentication does not exist protects nothing, or admits no client.",
			Source:  "linkerd.io, authorization policy reference"},
	}
}

func checkServerMissesPrimary(p *pass) {
	server, ok := p.object.Value.(*guardrail.Server)
	if !ok {
		return
	}
	for _, target := range p.set.Environment.Targets {
		primary := target + "-primary"
		if !selects(server, target) || selects(server, primary) || p.serverSelects(primary) || !p.hasCanary(target) {
			continue
		}
		p.warn("spec.podSelector", "selects only the canary of "+target+": the primary's pods have the "+
			"label app: "+primary,
			"select both with matchExpressions: {key: app, operator: In, values: ["+target+", "+primary+"]}")
	}
}

// selects reports whether the Server selects pods that have the given app label.
func selects(server *guardrail.Server, app string) bool {
	selector, err := metav1.LabelSelectorAsSelector(server.Spec.PodSelector)
	return err == nil && selector.Matches(labels.Set{"app": app})
}

// serverSelects reports whether any Server of the set selects pods that have the given app label.
func (p *pass) serverSelects(app string) bool {
	return slices.ContainsFunc(p.set.Objects, func(o guardrail.Object) bool {
		server, ok := o.Value.(*guardrail.Server)
		return ok && selects(server, app)
	})
}

// hasCanary reports whether the set has a Canary for the target. The service that the scenario
// releases always needs one.
func (p *pass) hasCanary(target string) bool {
	return target == p.set.Environment.ReleaseTarget || p.set.CanaryFor(target) != nil
}

func checkUnused(p *pass) {
	kind, name := p.object.Kind, p.object.Name
	if kind != flaggerv1.MetricTemplateKind && kind != flaggerv1.AlertProviderKind {
		return
	}
	for _, o := range p.set.Objects {
		if v, ok := o.Value.(*flaggerv1.Canary); ok && refersTo(v, kind, name) {
			return
		}
	}
	p.warn("metadata.name", "no Canary uses "+kind+" "+guardrail.Clip(name),
		"refer to it under spec.analysis, or remove it")
}

func refersTo(v *flaggerv1.Canary, kind, name string) bool {
	if kind == flaggerv1.MetricTemplateKind {
		return slices.ContainsFunc(v.Spec.Analysis.Metrics, func(m flaggerv1.CanaryMetric) bool {
			return m.TemplateRef != nil && m.TemplateRef.Name == name
		})
	}
	return slices.ContainsFunc(v.Spec.Analysis.Alerts, func(a flaggerv1.CanaryAlert) bool {
		return a.ProviderRef.Name == name
	})
}

// checkDanglingPolicy reports references to an object that is missing while the set has others of
// its kind. If the set has none of the kind, the scenario may provide the object.
func checkDanglingPolicy(p *pass) {
	policy, ok := p.object.Value.(*guardrail.AuthorizationPolicy)
	if !ok {
		return
	}
	if policy.Spec.TargetRef.Kind == "Server" {
		p.checkReference("spec.targetRef.name", "Server", policy.Spec.TargetRef.Name)
	}
	for i, ref := range policy.Spec.RequiredAuthenticationRefs {
		if ref.Group == guardrail.LinkerdGroup {
			p.checkReference(yamlpos.Index("spec.requiredAuthenticationRefs", i)+".name", ref.Kind, ref.Name)
		}
	}
}

func (p *pass) checkReference(field, kind, name string) {
	hasKind := slices.ContainsFunc(p.set.Objects, func(o guardrail.Object) bool { return o.Kind == kind })
	if _, found := p.set.Find(kind, name); hasKind && !found {
		p.warn(field, "the guardrails have no "+kind+" "+guardrail.Clip(name), p.available(kind))
	}
}
