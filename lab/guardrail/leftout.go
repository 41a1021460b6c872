package guardrail

import (
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/event"
	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/input/yamlpos"
)

// LeftOut returns the parts of the object that the lab does not play, in the order of the manifest.
func (s *Set) LeftOut(o Object) []event.LeftOut {
	list := s.autoscalersLeftOut(o)
	v, ok := o.Value.(*flaggerv1.Canary)
	if !ok || v.Spec.Analysis == nil {
		return list
	}
	for _, p := range o.document.leftOut {
		list = append(list, event.LeftOut{What: p.What, Name: p.Name, Canary: v.Name, Reason: p.Reason,
			Source: o.document.position(p.Path).String()})
	}
	for i, m := range v.Spec.Analysis.Metrics {
		if vendor := s.vendorOf(m); vendor != "" {
			list = append(list, event.LeftOut{
				What: event.LeftOutCheck, Name: m.Name, Canary: v.Name, Reason: vendorReason(vendor),
				Source: o.document.position(yamlpos.Index("spec.analysis.metrics", i)).String(),
			})
		}
	}
	return append(list, hooksLeftOut(v, func(i int) string {
		return o.document.position(yamlpos.Index("spec.analysis.webhooks", i)).String()
	})...)
}

// Played returns a copy of the object without what the lab leaves out. It is nil if the lab leaves
// out all of it.
func (s *Set) Played(o Object) runtime.Object {
	switch v := o.Value.DeepCopyObject().(type) {
	case *flaggerv1.Canary:
		if ref := v.Spec.AutoscalerRef; ref != nil && refLeftOut(ref, s.hasAutoscaler(ref.Name)) != "" {
			v.Spec.AutoscalerRef = nil
		}
		if a := v.Spec.Analysis; a != nil {
			a.Metrics = slices.DeleteFunc(a.Metrics, func(m flaggerv1.CanaryMetric) bool {
				return s.LeavesOut(v, m)
			})
			a.Alerts = slices.DeleteFunc(a.Alerts, func(alert flaggerv1.CanaryAlert) bool {
				ns := alert.ProviderRef.Namespace
				return ns != "" && ns != v.Namespace
			})
		}
		return v
	case *flaggerv1.AlertProvider:
		v.Spec.Proxy = ""
		return v
	case *flaggerv1.MetricTemplate:
		if vendorName(v) != "" {
			return nil
		}
		return v
	default:
		return v
	}
}

// vendorOf returns the name of the vendor that a metric is asked of, or "" for Prometheus.
func (s *Set) vendorOf(m flaggerv1.CanaryMetric) string {
	if m.TemplateRef == nil {
		return ""
	}
	t, ok := s.Find(flaggerv1.MetricTemplateKind, m.TemplateRef.Name)
	if !ok {
		return ""
	}
	return vendorName(t.Value.(*flaggerv1.MetricTemplate))
}

// LeavesOut reports whether the lab leaves out a metric of a Canary.
func (s *Set) LeavesOut(v *flaggerv1.Canary, m flaggerv1.CanaryMetric) bool {
	if s.vendorOf(m) != "" {
		return true
	}
	o, ok := s.Find(flaggerv1.CanaryKind, v.Name)
	return ok && slices.ContainsFunc(o.document.leftOut, func(p mapping.Part) bool {
		return p.What == event.LeftOutCheck && p.Name == m.Name
	})
}
