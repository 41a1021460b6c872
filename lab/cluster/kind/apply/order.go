package apply

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Ref identifies an object.
type Ref struct {
	// Group is "" for the core group.
	Group, Kind string
	// Namespace is "" for cluster-scoped objects.
	Namespace, Name string
}

// RefOf returns the Ref of an object.
func RefOf(o *unstructured.Unstructured) Ref {
	gvk := o.GroupVersionKind()
	return Ref{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r Ref) is(kind schema.GroupKind) bool { return r.Group == kind.Group && r.Kind == kind.Kind }

// Kinds with special treatment.
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

// rank orders kinds. Webhooks come last, so that none blocks the creation of its own pods.
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

// groupByRank groups objects by rank, each group in the given order.
func groupByRank(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	parts := make([][]*unstructured.Unstructured, 4)
	for _, o := range objects {
		n := rank(RefOf(o))
		parts[n] = append(parts[n], o)
	}
	return slices.DeleteFunc(parts, func(p []*unstructured.Unstructured) bool { return len(p) == 0 })
}
