package apply

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// state is the progress of an object.
type state struct {
	ready bool
	// text describes for the user what is missing: "0 of 1 replicas are available".
	text string
	// webhooks are the Services that must respond before the object is ready.
	webhooks []service
}

type service struct{ namespace, name string }

func notReady(format string, args ...any) state { return state{text: fmt.Sprintf(format, args...)} }

// condition returns the progress of an object. An error means that it has failed for good.
type condition func(*unstructured.Unstructured) (state, error)

// conditionOf returns nil for kinds that are ready as soon as they exist.
func conditionOf(r Ref) condition {
	switch {
	case r.is(deploymentKind):
		return typed(deployment)
	case r.is(daemonSetKind):
		return typed(daemonSet)
	case r.is(statefulKind):
		return typed(statefulSet)
	case r.is(jobKind):
		return typed(job)
	case r.is(crdKind):
		return hasCondition("Established")
	case r.is(apiServiceKind):
		return hasCondition("Available")
	case r.is(mutatingKind), r.is(validatingKind):
		return webhooks
	}
	return nil
}

// typed converts the object to its Go type for f.
func typed[T any](f func(*T) (state, error)) condition {
	return func(o *unstructured.Unstructured) (state, error) {
		var t T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &t); err != nil {
			return state{}, err
		}
		return f(&t)
	}
}

func deployment(d *appsv1.Deployment) (state, error) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	switch {
	case s.ObservedGeneration < d.Generation:
		return notReady("the controller has not seen it yet"), nil
	case s.UpdatedReplicas < want:
		return notReady("%d of %d replicas are updated", s.UpdatedReplicas, want), nil
	case s.AvailableReplicas < want:
		return notReady("%d of %d replicas are available", s.AvailableReplicas, want), nil
	case s.Replicas > s.UpdatedReplicas:
		return notReady("%d replicas of an earlier template still exist", s.Replicas-s.UpdatedReplicas), nil
	}
	return state{ready: true}, nil
}

func daemonSet(d *appsv1.DaemonSet) (state, error) {
	s := d.Status
	switch {
	case s.ObservedGeneration < d.Generation:
		return notReady("the controller has not seen it yet"), nil
	case s.UpdatedNumberScheduled < s.DesiredNumberScheduled, s.NumberAvailable < s.DesiredNumberScheduled:
		return notReady("%d of %d pods are available", min(s.UpdatedNumberScheduled, s.NumberAvailable),
			s.DesiredNumberScheduled), nil
	}
	return state{ready: true}, nil
}

func statefulSet(d *appsv1.StatefulSet) (state, error) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	switch {
	case s.ObservedGeneration < d.Generation:
		return notReady("the controller has not seen it yet"), nil
	case s.UpdatedReplicas < want, s.ReadyReplicas < want:
		return notReady("%d of %d replicas are ready", min(s.UpdatedReplicas, s.ReadyReplicas), want), nil
	}
	return state{ready: true}, nil
}

func job(j *batchv1.Job) (state, error) {
	for _, c := range j.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return state{ready: true}, nil
		case c.Type == batchv1.JobFailed:
			return state{}, fmt.Errorf("failed: %s", strings.Join([]string{c.Reason, c.Message}, ": "))
		}
	}
	return notReady("%d pods succeeded, %d failed", j.Status.Succeeded, j.Status.Failed), nil
}

// hasCondition requires a status condition to be true.
func hasCondition(kind string) condition {
	return func(o *unstructured.Unstructured) (state, error) {
		// The conditions of a new CRD are null.
		found, _, err := unstructured.NestedFieldNoCopy(o.Object, "status", "conditions")
		if err != nil {
			return state{}, err
		}
		all, _ := found.([]any)
		for _, one := range all {
			c, ok := one.(map[string]any)
			if !ok || c["type"] != kind {
				continue
			}
			if c["status"] == "True" {
				return state{ready: true}, nil
			}
			return notReady("not %s: %v", kind, c["message"]), nil
		}
		return notReady("not %s yet", kind), nil
	}
}

// webhooks returns the Services that the API server will call.
func webhooks(o *unstructured.Unstructured) (state, error) {
	all, _, err := unstructured.NestedSlice(o.Object, "webhooks")
	if err != nil {
		return state{}, err
	}
	s := state{ready: true}
	for _, one := range all {
		w, ok := one.(map[string]any)
		if !ok {
			continue
		}
		namespace, _, _ := unstructured.NestedString(w, "clientConfig", "service", "namespace")
		name, found, _ := unstructured.NestedString(w, "clientConfig", "service", "name")
		if found {
			s.webhooks = append(s.webhooks, service{namespace, name})
		}
	}
	return s, nil
}

// hasReadyEndpoint reports whether any of the EndpointSlices has a ready endpoint.
func hasReadyEndpoint(all []unstructured.Unstructured) (bool, error) {
	for _, o := range all {
		var s discoveryv1.EndpointSlice
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err != nil {
			return false, err
		}
		for _, e := range s.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return true, nil
			}
		}
	}
	return false, nil
}

// selectorOf returns the selector of a workload's pods.
func selectorOf(o *unstructured.Unstructured) (string, bool) {
	raw, ok, err := unstructured.NestedMap(o.Object, "spec", "selector")
	if err != nil || !ok {
		return "", false
	}
	var s metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &s); err != nil {
		return "", false
	}
	selector, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil || selector.Empty() || selector == labels.Nothing() {
		return "", false
	}
	return selector.String(), true
}
