// Package workloads builds the objects of a scenario's demo services and of a release, and relates
// users' Flagger objects to the lab: it points them to the endpoints of a cluster, parses Flagger's
// queries and alerts, and makes facts of object states. All clusters use it, so that a scenario and
// its guardrails mean the same in each. It has no client.
package workloads

import (
	"cmp"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/scenario"
)

// PortName is the name of the demo services' port.
const PortName = "http"

// LabelVersion is the label of a pod with the neutral name of its version; the label app has its
// service.
const LabelVersion = "version"

// injectAnnotation enables proxy injection.
const injectAnnotation = "linkerd.io/inject"

// Builder builds the objects of a scenario for one kind of cluster.
type Builder struct {
	Scenario *scenario.Scenario
	// Seed is that of the run, on which the neutral names of versions depend.
	Seed uint64
	// Mutate adds to the pods of a service at a version what this kind of cluster needs to run
	// them, at least the image. The version is given by its neutral name: guardrails can read what
	// becomes of it. The first container is the service. The result must depend only on service and
	// name, since releasing the running version must change nothing.
	Mutate func(t *corev1.PodTemplateSpec, s *scenario.Service, name string)
}

// Objects returns the objects of the demo services, in the order in which to create them: the
// namespace, and for each service its account, configuration, Deployment at the baseline version,
// and Service.
func (s Builder) Objects() []runtime.Object {
	objects := []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: scenario.Namespace, Annotations: map[string]string{injectAnnotation: "enabled"},
	}}}
	for i := range s.Scenario.Services {
		objects = append(objects, s.service(&s.Scenario.Services[i])...)
	}
	return objects
}

func (s Builder) service(svc *scenario.Service) []runtime.Object {
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: objectMeta(ServiceAccountName(svc, svc.Baseline))},
		&corev1.ConfigMap{ObjectMeta: objectMeta(svc.Name + "-config"), Data: map[string]string{"log-level": "info"}},
		&corev1.Secret{ObjectMeta: objectMeta(svc.Name + "-credentials"),
			Data: map[string][]byte{"token": []byte("demo")}},
		s.deployment(svc),
		&corev1.Service{ObjectMeta: objectMeta(svc.Name), Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: map[string]string{"app": svc.Name},
			Ports: []corev1.ServicePort{{
				Name: PortName, Protocol: corev1.ProtocolTCP, Port: int32(svc.Port),
				TargetPort: intstr.FromInt32(int32(svc.TargetPort)),
			}},
		}},
	}
}

func objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: scenario.Namespace}
}

// deployment returns a service's Deployment at its baseline version. It refers to a ConfigMap and a
// Secret, which Flagger tracks.
func (s Builder) deployment(svc *scenario.Service) *appsv1.Deployment {
	replicas := int32(svc.Replicas)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: objectMeta(svc.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": svc.Name}},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name:  svc.Name,
				Ports: []corev1.ContainerPort{{Name: PortName, ContainerPort: int32(svc.TargetPort)}},
				EnvFrom: []corev1.EnvFromSource{
					{ConfigMapRef: &corev1.ConfigMapEnvSource{
						LocalObjectReference: corev1.LocalObjectReference{Name: svc.Name + "-config"},
					}},
					{SecretRef: &corev1.SecretEnvSource{
						LocalObjectReference: corev1.LocalObjectReference{Name: svc.Name + "-credentials"},
					}},
				},
			}}}},
		},
	}
	d.Spec.Template.Spec.Containers[0].ReadinessProbe = readinessProbe(svc)
	s.SetVersion(d, svc, svc.Baseline)
	return d
}

// readinessProbe returns the probe of a service's own port, or nil. Its period and threshold are
// those of the sim's kubelet.
func readinessProbe(svc *scenario.Service) *corev1.Probe {
	if svc.Probe == "" {
		return nil
	}
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: svc.Probe,
			Port: intstr.FromString(PortName)}},
		PeriodSeconds: 1, FailureThreshold: 3,
	}
}

// SetVersion sets everything in a Deployment's pod template that depends on the version.
func (s Builder) SetVersion(d *appsv1.Deployment, svc *scenario.Service, version string) {
	v, t := svc.Versions[version], &d.Spec.Template
	name := s.Scenario.NeutralVersion(svc.Name, version, s.Seed)
	t.Labels = map[string]string{"app": svc.Name}
	maps.Copy(t.Labels, svc.Labels)
	maps.Copy(t.Labels, v.Labels)
	t.Labels[LabelVersion] = name
	// Without annotations the map must be nil, as after a JSON round trip: Flagger's hash of the
	// template distinguishes an empty map from nil, and would take a release of the running version
	// for a new one (flagger, pkg/canary/spec.go, ComputeHash).
	t.Annotations = nil
	if len(svc.Annotations)+len(v.Annotations) > 0 {
		t.Annotations = map[string]string{}
		maps.Copy(t.Annotations, svc.Annotations)
		maps.Copy(t.Annotations, v.Annotations)
	}
	t.Spec.ServiceAccountName = ServiceAccountName(svc, version)
	s.Mutate(t, svc, name)
}

// ServiceAccountName returns the service account of a service's pods at a version.
func ServiceAccountName(s *scenario.Service, version string) string {
	return cmp.Or(s.Versions[version].ServiceAccount, s.ServiceAccount, s.Name)
}
