package sim

import (
	"context"
	"fmt"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/scenarios"
)

// imagePrefix is the repository of the demo services' images; the tag is the version.
const imagePrefix = "coalmine/"

// portName is what the demo services call their port.
const portName = "http"

func image(service, version string) string { return imagePrefix + service + ":" + version }

// imageOf takes an image of a demo service apart.
func imageOf(t *corev1.PodTemplateSpec) (service, version string, ok bool) {
	if len(t.Spec.Containers) == 0 {
		return "", "", false
	}
	name, found := strings.CutPrefix(t.Spec.Containers[0].Image, imagePrefix)
	service, version, tagged := strings.Cut(name, ":")
	return service, version, found && tagged
}

// createServices creates what the platform runs before any guardrail: namespace, accounts, configuration, Deployments at their
// baseline versions, and Services.
func (w *world) createServices(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: scenarios.Namespace, Annotations: map[string]string{"linkerd.io/inject": "enabled"},
	}}
	if _, err := w.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	for i := range w.flight.Scenario.Services {
		if err := w.createService(ctx, &w.flight.Scenario.Services[i]); err != nil {
			return fmt.Errorf("service %s: %w", w.flight.Scenario.Services[i].Name, err)
		}
	}
	return nil
}

func (w *world) createService(ctx context.Context, s *scenarios.Service) error {
	core, meta := w.kube.CoreV1(), objectMeta(s.Name)
	if _, err := core.ServiceAccounts(scenarios.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(account(s, s.Baseline))}, metav1.CreateOptions{}); err != nil {
		return err
	}
	config := &corev1.ConfigMap{ObjectMeta: objectMeta(s.Name + "-config"), Data: map[string]string{"log-level": "info"}}
	if _, err := core.ConfigMaps(scenarios.Namespace).Create(ctx, config, metav1.CreateOptions{}); err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: objectMeta(s.Name + "-credentials"), Data: map[string][]byte{"token": []byte("demo")}}
	if _, err := core.Secrets(scenarios.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := w.kube.AppsV1().Deployments(scenarios.Namespace).Create(ctx, deployment(s), metav1.CreateOptions{}); err != nil {
		return err
	}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type:     corev1.ServiceTypeClusterIP,
		Selector: map[string]string{"app": s.Name},
		Ports:    []corev1.ServicePort{{Name: portName, Protocol: corev1.ProtocolTCP, Port: int32(s.Port), TargetPort: intstr.FromInt32(int32(s.TargetPort))}},
	}}
	_, err := core.Services(scenarios.Namespace).Create(ctx, svc, metav1.CreateOptions{})
	return err
}

func objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: scenarios.Namespace}
}

// deployment is a service's Deployment at its baseline version. It refers to a ConfigMap and a Secret, which Flagger tracks.
func deployment(s *scenarios.Service) *appsv1.Deployment {
	replicas := int32(s.Replicas)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: objectMeta(s.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": s.Name}},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name:  s.Name,
				Ports: []corev1.ContainerPort{{Name: portName, ContainerPort: int32(s.TargetPort)}},
				EnvFrom: []corev1.EnvFromSource{
					{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: s.Name + "-config"}}},
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: s.Name + "-credentials"}}},
				},
			}}}},
		},
	}
	setVersion(d, s, s.Baseline)
	return d
}

// setVersion gives a Deployment's pod template everything that a version says about its pods.
func setVersion(d *appsv1.Deployment, s *scenarios.Service, version string) {
	v, t := s.Versions[version], &d.Spec.Template
	t.Labels = map[string]string{"app": s.Name, "version": version}
	maps.Copy(t.Labels, s.Labels)
	maps.Copy(t.Labels, v.Labels)
	// No annotations are no map, as after a way through JSON: Flagger's hash of the template tells an empty map from none, and
	// would take a release of the version that runs for a new one (flagger, pkg/canary/spec.go, ComputeHash).
	t.Annotations = nil
	if len(s.Annotations)+len(v.Annotations) > 0 {
		t.Annotations = map[string]string{}
		maps.Copy(t.Annotations, s.Annotations)
		maps.Copy(t.Annotations, v.Annotations)
	}
	t.Spec.ServiceAccountName = account(s, version)
	t.Spec.Containers[0].Image = image(s.Name, version)
}

func account(s *scenarios.Service, version string) string {
	if a := s.Versions[version].ServiceAccount; a != "" {
		return a
	}
	if s.ServiceAccount != "" {
		return s.ServiceAccount
	}
	return s.Name
}
