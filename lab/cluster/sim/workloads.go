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

	"coalmine/lab/cluster/workloads"
	"coalmine/lab/scenario"
)

// imagePrefix is the repository of the demo services' images. Their tags are the versions.
const imagePrefix = "coalmine/"

// portName is the name of the demo services' port.
const portName = workloads.PortName

// workloadsOf returns a builder of a scenario's objects. Images identify service and version of a
// pod; nothing runs in it.
func workloadsOf(s *scenario.Scenario) workloads.Builder {
	return workloads.Builder{Scenario: s, Mutate: func(t *corev1.PodTemplateSpec, s *scenario.Service, version string) {
		t.Spec.Containers[0].Image = image(s.Name, version)
	}}
}

func image(service, version string) string { return imagePrefix + service + ":" + version }

// imageOf returns service and version of a pod of a demo service.
func imageOf(t *corev1.PodTemplateSpec) (service, version string, ok bool) {
	if len(t.Spec.Containers) == 0 {
		return "", "", false
	}
	name, found := strings.CutPrefix(t.Spec.Containers[0].Image, imagePrefix)
	service, version, tagged := strings.Cut(name, ":")
	return service, version, found && tagged
}

// createServices creates the objects of the demo services.
func (w *world) createServices(ctx context.Context) error {
	for _, o := range workloadsOf(w.spec.Scenario).Objects() {
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
