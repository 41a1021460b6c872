package sim

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/scenario"
)

// imagePrefix is the repository of the demo services' images. Their tags are the neutral names of
// the versions.
const imagePrefix = "coalmine/"

// portName is the name of the demo services' port.
const portName = workloads.PortName

// workloadsOf returns a builder of a run's objects. Images identify service and version of a pod;
// nothing runs in it.
func workloadsOf(spec cluster.RunSpec) workloads.Builder {
	mutate := func(t *corev1.PodTemplateSpec, s *scenario.Service, name string) {
		t.Spec.Containers[0].Image = imagePrefix + s.Name + ":" + name
	}
	return workloads.Builder{Scenario: spec.Scenario, Seed: spec.Seed, Mutate: mutate}
}

// imageOf returns the service of a pod and the neutral name of its version, or "" for pods of no
// demo service.
func imageOf(t *corev1.PodTemplateSpec) (service, name string) {
	if len(t.Spec.Containers) == 0 {
		return "", ""
	}
	image, _ := strings.CutPrefix(t.Spec.Containers[0].Image, imagePrefix)
	service, name, _ = strings.Cut(image, ":")
	return service, name
}

// createServices creates the objects of the demo services.
func (w *world) createServices(ctx context.Context) error {
	for _, o := range workloadsOf(w.spec).Objects() {
		if err := w.create(ctx, o); err != nil {
			return fmt.Errorf("%T %s: %w", o, o.(metav1.Object).GetName(), err)
		}
	}
	return nil
}

func (w *world) create(ctx context.Context, o runtime.Object) (err error) {
	core, create, ns := w.kube.CoreV1(), metav1.CreateOptions{}, scenario.Namespace
	switch v := o.(type) {
	case *corev1.Namespace:
		_, err = core.Namespaces().Create(ctx, v, create)
	case *corev1.ServiceAccount:
		if _, err = core.ServiceAccounts(ns).Create(ctx, v, create); apierrors.IsAlreadyExists(err) {
			err = nil // services may share one
		}
	case *corev1.ConfigMap:
		_, err = core.ConfigMaps(ns).Create(ctx, v, create)
	case *corev1.Secret:
		_, err = core.Secrets(ns).Create(ctx, v, create)
	case *appsv1.Deployment:
		_, err = w.kube.AppsV1().Deployments(ns).Create(ctx, v, create)
	case *corev1.Service:
		_, err = core.Services(ns).Create(ctx, v, create)
	default:
		err = fmt.Errorf("the sim cannot create objects of this kind")
	}
	return err
}
