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
	"coalmine/manifests"
)

// Report is what can be seen of a lab at a glance, without knowing what it was to become.
type Report struct {
	// State of the containers. The rest is empty unless they run.
	State kindcluster.State
	// Err is why Kubernetes could not be asked though the containers run.
	Err      error
	Recorded State
	Steps    []steps.Progress
	// Versions by the name of a part: kubernetes, flagger, prometheus, linkerd, coalmine.
	Versions map[string]string
	// NotReady are pods of all namespaces, the demo services' too.
	NotReady []Pod
	// Anchor and Issuer are when the certificates end; zero if there are none.
	Anchor, Issuer time.Time
}

// Pod is one that is not ready, and why.
type Pod struct{ Namespace, Name, Reason string }

// Up tells whether every step was taken and all pods that are the lab's own are ready. Those of the demo services come and go with
// runs.
func (r Report) Up() bool {
	return r.State == kindcluster.Running && r.Err == nil && r.Recorded.Up() &&
		!slices.ContainsFunc(r.Steps, func(p steps.Progress) bool { return p.State != steps.AlreadyDone }) &&
		!slices.ContainsFunc(r.NotReady, func(p Pod) bool { return p.Namespace != names.DevelopNamespace })
}

// Inspect looks at a lab. The error is Docker's; that Kubernetes does not answer stands in the report.
func Inspect(ctx context.Context, c *kindcluster.Cluster, now time.Time) (Report, error) {
	r := Report{Recorded: State{}, Versions: map[string]string{}}
	// Both ask Docker several times, and what it answers first does not matter to the second.
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

// recordedSteps are the steps as far as they can be looked at without what they are made of: by their records.
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

// addPods finds versions and what is not ready.
func (r *Report) addPods(pods []corev1.Pod) {
	for i := range pods {
		p := &pods[i]
		if name, tag := componentOf(p); name != "" {
			r.Versions[name] = tag
		}
		if p.Status.Phase != corev1.PodSucceeded && !isReady(p) {
			r.NotReady = append(r.NotReady, Pod{p.Namespace, p.Name, waitsFor(p)})
		}
	}
	slices.SortFunc(r.NotReady, func(a, b Pod) int { return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)) })
	if ref := r.Recorded[KeyImage]; ref != "" {
		r.Versions["coalmine"] = tagOf(ref)
	}
}

// componentOf tells which part of the lab a pod is, and its version.
func componentOf(p *corev1.Pod) (name, version string) {
	parts := []struct{ name, namespace, image string }{
		{manifests.Flagger, names.FlaggerNamespace, "/flagger:"},
		{"prometheus", names.VizNamespace, "/prometheus:"},
		{"linkerd", names.MeshNamespace, "/linkerd/controller:"},
	}
	for _, x := range parts {
		for _, c := range p.Spec.Containers {
			if p.Namespace == x.namespace && strings.Contains(c.Image, x.image) {
				return x.name, tagOf(c.Image)
			}
		}
	}
	return "", ""
}

func tagOf(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	return ref[strings.LastIndexByte(ref, ':')+1:]
}

func isReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// waitsFor is the first reason that Kubernetes gives.
func waitsFor(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "Terminating"
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Waiting != nil && s.State.Waiting.Reason != "PodInitializing" {
			return s.Name + " " + s.State.Waiting.Reason
		}
	}
	return string(p.Status.Phase)
}
