package apply

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Ref names an object.
type Ref struct {
	// Group of the kind, "" for the core's.
	Group, Kind string
	// Namespace is "" for what is in none.
	Namespace, Name string
}

// RefOf names an object that is at hand.
func RefOf(o *unstructured.Unstructured) Ref {
	gvk := o.GroupVersionKind()
	return Ref{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// Deployment names one.
func Deployment(namespace, name string) Ref {
	return Ref{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name}
}

func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r Ref) is(kind schema.GroupKind) bool { return r.Group == kind.Group && r.Kind == kind.Kind }

// Kinds that the order or the waiting treats in a way of its own.
var (
	namespaceKind  = schema.GroupKind{Kind: "Namespace"}
	crdKind        = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	apiServiceKind = schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}
	mutatingKind   = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}
	validatingKind = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}
	deploymentKind = schema.GroupKind{Group: "apps", Kind: "Deployment"}
	daemonSetKind  = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	statefulKind   = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	jobKind        = schema.GroupKind{Group: "batch", Kind: "Job"}
)

// rank of a kind: what must be there before others. Webhooks come last, so that none stands in the way of its own pods.
func rank(r Ref) int {
	switch {
	case r.is(namespaceKind):
		return 0
	case r.is(crdKind):
		return 1
	case r.is(apiServiceKind), r.is(mutatingKind), r.is(validatingKind):
		return 3
	}
	return 2
}

// groupByRank parts objects by their rank, each part in the order given.
func groupByRank(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	parts := make([][]*unstructured.Unstructured, 4)
	for _, o := range objects {
		n := rank(RefOf(o))
		parts[n] = append(parts[n], o)
	}
	return slices.DeleteFunc(parts, func(p []*unstructured.Unstructured) bool { return len(p) == 0 })
}
