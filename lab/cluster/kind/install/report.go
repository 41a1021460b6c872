package install

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/manifests"
)

// Report is an overview of a cluster, gathered without knowing its plan.
type Report struct {
	// State of the containers. The other fields are empty unless they run.
	State kindcluster.State
	// Err is why the Kubernetes API could not be queried although the containers run.
	Err      error
	Recorded State
	Steps    []steps.Progress
	// Versions by component: kubernetes, flagger, prometheus, linkerd, coalmine.
	Versions map[string]string
	// NotReady lists pods of all namespaces, including the demo services'.
	NotReady []Pod
	// Anchor and Issuer are when the certificates expire; zero if there are none.
	Anchor, Issuer time.Time
}

// Pod is a pod that is not ready, and why.
type Pod struct{ Namespace, Name, Reason string }

// Up reports whether every step is done and all of coalmine's own pods are ready. Those of the demo
// services come and go with runs.
func (r Report) Up() bool {
	return r.State == kindcluster.Running && r.Err == nil && r.Recorded.Up() &&
		!slices.ContainsFunc(r.Steps, func(p steps.Progress) bool { return p.State != steps.AlreadyDone }) &&
		!slices.ContainsFunc(r.NotReady, func(p Pod) bool { return p.Namespace != names.DevelopNamespace })
}

// Inspect reports on a cluster. The error is Docker's; if Kubernetes does not respond, the report
// says so.
func Inspect(ctx context.Context, c *kindcluster.Cluster, now time.Time) (Report, error) {
	r := Report{Recorded: State{}, Versions: map[string]string{}}
	// Both run docker several times and do not depend on each other.
	var config *rest.Config
	var configErr error
	var asking sync.WaitGroup
	asking.Go(func() { config, configErr = c.RESTConfig(ctx) })
	var err error
	r.State, err = c.State(ctx)
	asking.Wait()
	if err != nil || r.State != kindcluster.Running {
		return r, err
	}
	if r.Err = configErr; r.Err != nil {
		return r, nil
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return r, err
	}
	r.Err = r.collect(ctx, kube, now)
	return r, nil
}

func (r *Report) collect(ctx context.Context, kube kubernetes.Interface, now time.Time) (err error) {
	version, err := kube.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	r.Versions["kubernetes"] = version.GitVersion
	if r.Recorded, err = ReadState(ctx, kube); err != nil {
		return err
	}
	chain, err := ReadCerts(ctx, kube)
	if err != nil {
		return err
	}
	left, trustErr := chain.Check(now)
	if trustErr == nil {
		r.Anchor, r.Issuer = now.Add(left.Anchor), now.Add(left.Issuer)
	}
	r.Steps = steps.Inspect(ctx, recordedSteps(r.Recorded, trustErr))
	pods, err := kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	r.addPods(pods.Items)
	return nil
}

// recordedSteps returns the steps, judged by their records alone.
func recordedSteps(found State, trust error) []steps.Step {
	steps := (&Installer{Plan: Plan{Cluster: kindcluster.New("")}, mesh: found.mesh()}).Steps()
	for i, s := range steps {
		steps[i].Do = nil
		steps[i].Done = func(context.Context) (bool, error) {
			if s.Name == stepCerts && found.Step(stepCluster) != "" {
				return trust == nil, trust
			}
			return found.Step(s.Name) != "", nil
		}
	}
	return steps
}

// addPods adds versions and the pods that are not ready.
func (r *Report) addPods(pods []corev1.Pod) {
	for i := range pods {
		p := &pods[i]
		if name, tag := componentOf(p); name != "" {
			r.Versions[name] = tag
		}
		if p.Status.Phase != corev1.PodSucceeded && !podstatus.Serving(p) {
			r.NotReady = append(r.NotReady, Pod{p.Namespace, p.Name, waitsFor(p)})
		}
	}
	slices.SortFunc(r.NotReady, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if ref := r.Recorded[KeyImage]; ref != "" {
		r.Versions["coalmine"] = podstatus.ImageTag(ref)
	}
}

// componentOf returns the component a pod belongs to, and its version.
func componentOf(p *corev1.Pod) (name, version string) {
	parts := []struct{ name, namespace, image string }{
		{manifests.Flagger, names.FlaggerNamespace, "/flagger:"},
		{"prometheus", names.VizNamespace, "/prometheus:"},
		{"linkerd", names.MeshNamespace, "/linkerd/controller:"},
	}
	for _, x := range parts {
		for _, c := range p.Spec.Containers {
			if p.Namespace == x.namespace && strings.Contains(c.Image, x.image) {
				return x.name, podstatus.ImageTag(c.Image)
			}
		}
	}
	return "", ""
}

// waitsFor returns the first reason that Kubernetes gives.
func waitsFor(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "Terminating"
	}
	if container, reason := podstatus.Waiting(p); container != "" {
		return container + " " + reason
	}
	return string(p.Status.Phase)
}
