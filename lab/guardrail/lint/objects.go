package guardrail

import (
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func objectRules() []Rule {
	return []Rule{
		{Name: "server-misses-primary", Why: "Flagger relabels the primary's pods app: X-primary, so a Server that selects app: X covers the canary only.",
			Source: "flagger pkg/canary/deployment_controller.go, getSelectorLabel", object: lintServerMissesPrimary},
		{Name: "unused", Why: "What no Canary refers to checks and tells nothing.", Source: "flagger pkg/controller/scheduler_metrics.go", object: lintUnused},
		{Name: "dangling-policy", Why: "A policy whose target or authentication does not exist admits nobody, or protects nothing.",
			Source: "linkerd.io, authorization policy reference", object: lintDanglingPolicy},
	}
}

func lintServerMissesPrimary(s *lintTarget) {
	server, ok := s.doc.object.Value.(*Server)
	if !ok {
		return
	}
	for _, target := range s.checker.env.Targets {
		if !selects(server, target) || selects(server, target+"-primary") || s.coveredElsewhere(target+"-primary") || !s.hasCanary(target) {
			continue
		}
		s.warn("spec.podSelector", "covers the canary of "+target+" only: the primary's pods are labelled app: "+target+"-primary",
			"select both with matchExpressions: {key: app, operator: In, values: ["+target+", "+target+"-primary]}")
	}
}

// selects tells whether the Server selects pods by their app label.
func selects(server *Server, app string) bool {
	selector, err := metav1.LabelSelectorAsSelector(server.Spec.PodSelector)
	return err == nil && selector.Matches(labels.Set{"app": app})
}

// hasCanary tells whether the target has a Canary here, or is the one that is released (and so must have one).
func (s *lintTarget) hasCanary(target string) bool {
	return target == s.checker.env.ReleaseTarget || slices.ContainsFunc(s.checker.docs, func(d *document) bool {
		v, ok := d.object.Value.(*flaggerv1.Canary)
		return ok && v.Spec.TargetRef.Name == target
	})
}

// coveredElsewhere tells whether another Server selects the pods.
func (s *lintTarget) coveredElsewhere(app string) bool {
	return slices.ContainsFunc(s.checker.docs, func(d *document) bool {
		other, ok := d.object.Value.(*Server)
		return ok && selects(other, app)
	})
}

func lintUnused(s *lintTarget) {
	name, used := s.doc.object.Name, false
	for _, d := range s.checker.docs {
		v, ok := d.object.Value.(*flaggerv1.Canary)
		if !ok {
			continue
		}
		switch s.doc.object.Kind {
		case flaggerv1.MetricTemplateKind:
			used = used || usesTemplate(v, name)
		case flaggerv1.AlertProviderKind:
			used = used || slices.ContainsFunc(v.Spec.Analysis.Alerts, func(a flaggerv1.CanaryAlert) bool { return a.ProviderRef.Name == name })
		}
	}
	kind := s.doc.object.Kind
	if !used && (kind == flaggerv1.MetricTemplateKind || kind == flaggerv1.AlertProviderKind) {
		s.warn("metadata.name", "no Canary uses "+kind+" "+clip(name), "refer to it under spec.analysis, or take it out")
	}
}

// lintDanglingPolicy looks for references to kinds of which there are some, but not the one that is meant. Where there is none the
// scenario may bring it.
func lintDanglingPolicy(s *lintTarget) {
	p, ok := s.doc.object.Value.(*AuthorizationPolicy)
	if !ok {
		return
	}
	if p.Spec.TargetRef.Kind == "Server" {
		s.dangling("spec.targetRef.name", "Server", p.Spec.TargetRef.Name)
	}
	for i, ref := range p.Spec.RequiredAuthenticationRefs {
		if canonicalGroup(ref.Group) == LinkerdGroup {
			s.dangling(indexPath("spec.requiredAuthenticationRefs", i)+".name", ref.Kind, ref.Name)
		}
	}
}

func (s *lintTarget) dangling(field, kind, name string) {
	some := slices.ContainsFunc(s.checker.docs, func(d *document) bool { return d.object.Kind == kind })
	if some && s.checker.byKey[objectKey{kind, name}] == nil {
		s.warn(field, "there is no "+kind+" "+clip(name)+" among the guardrails", s.checker.available(kind))
	}
}
