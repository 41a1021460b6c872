package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/install"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
)

func dockerAnswers(ctx context.Context, l *Lab) Finding {
	version, err := l.Engine.Ping(ctx)
	if err != nil {
		return fail("%v", err).withHint(hintOf(err))
	}
	return pass("version %s", version)
}

// hintOf returns the hint of an error, or "" if it has none.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func memory(ctx context.Context, l *Lab) Finding {
	n, err := l.Engine.Memory(ctx)
	switch {
	case err != nil:
		return fail("%v", err).withHint(hintOf(err))
	case n < kindcluster.MinMemory:
		return fail("%.1f GiB, less than %d", float64(n)/(1<<30), kindcluster.MinMemory>>30)
	}
	return pass("%.1f GiB", float64(n)/(1<<30))
}

func clusterRuns(ctx context.Context, l *Lab) Finding {
	state, err := l.Engine.State(ctx, l.Cluster)
	switch {
	case err != nil:
		return fail("%v", err).withHint(hintOf(err))
	case state == kindcluster.Absent:
		return fail("there is no cluster %s", l.Cluster)
	case state == kindcluster.Foreign:
		return fail("coalmine did not create cluster %s", l.Cluster).withHint("choose another name with --name")
	case state != kindcluster.Running:
		return fail("cluster %s is %s", l.Cluster, state)
	}
	return pass("%s", l.Cluster)
}

func apiAnswers(ctx context.Context, l *Lab) Finding {
	if l.kube == nil {
		if err := l.connect(ctx); err != nil {
			return fail("%v", err)
		}
	}
	body, err := l.kube.Discovery().ServerVersion()
	if err != nil {
		return fail("%v", err)
	}
	return pass("Kubernetes %s", body.GitVersion)
}

func (l *Lab) connect(ctx context.Context) error {
	config, err := l.Connect(ctx, l.Cluster)
	if err != nil {
		return err
	}
	config = rest.CopyConfig(config)
	config.Timeout = checkTimeout
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	l.config, l.kube, l.objects = config, kube, objects
	return nil
}

func nodesReady(ctx context.Context, l *Lab) Finding {
	list, err := l.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	for _, n := range list.Items {
		ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if !ready {
			return fail("node %s is not ready", n.Name)
		}
		for _, c := range n.Status.Conditions {
			if c.Type != corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return fail("node %s has %s: %s", n.Name, c.Type, c.Message)
			}
		}
	}
	return pass("%d", len(list.Items))
}

func broughtUp(ctx context.Context, l *Lab) Finding {
	state, err := install.ReadState(ctx, l.kube)
	if err != nil {
		return fail("%v", err)
	}
	if l.mesh = state[install.KeyMesh]; l.mesh == "" {
		return fail("the cluster was not created by coalmine up, or up failed early")
	}
	return pass("mesh %s", l.mesh)
}

func image(ctx context.Context, l *Lab) Finding {
	state, err := install.ReadState(ctx, l.kube)
	if err != nil {
		return fail("%v", err)
	}
	ref := state[install.KeyImage]
	running := podstatus.ImageTag(ref)
	switch {
	case ref == "":
		return fail("no image was loaded")
	case l.Image != "" && l.Image != running:
		return warn("the cluster runs %s, this is %s", running, l.Image)
	}
	return pass("%s", ref)
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
	Resource: "customresourcedefinitions"}

// gatewayVersions is the range of Gateway API versions that Linkerd 2.20 supports.
var gatewayVersions = [2]string{"v1.2.1", "v1.5.1"}

func gatewayAPI(ctx context.Context, l *Lab) Finding {
	crd, err := l.objects.Resource(crds).Get(ctx, "httproutes.gateway.networking.k8s.io", metav1.GetOptions{})
	if err != nil {
		return fail("%v", err)
	}
	text := crd.GetAnnotations()["gateway.networking.k8s.io/bundle-version"]
	v, err := version.ParseGeneric(text)
	if err != nil || v.LessThan(version.MustParseGeneric(gatewayVersions[0])) ||
		version.MustParseGeneric(gatewayVersions[1]).LessThan(v) {
		return warn("version %q; Linkerd 2.20 supports %s to %s", text, gatewayVersions[0], gatewayVersions[1])
	}
	return pass("version %s", text)
}

func podsReady(ctx context.Context, l *Lab) Finding {
	n := 0
	var waiting []string
	for _, namespace := range []string{names.LabNamespace, names.MeshNamespace, names.VizNamespace,
		names.FlaggerNamespace, names.DevelopNamespace} {
		list, err := l.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fail("%v", err)
		}
		for i := range list.Items {
			n++
			if p := &list.Items[i]; !podstatus.Ready(p) && p.Status.Phase != corev1.PodSucceeded &&
				p.DeletionTimestamp == nil {
				name := p.Namespace + "/" + p.Name
				if container, reason := podstatus.Waiting(p); container != "" {
					name += fmt.Sprintf(" (%s: %s)", container, reason)
				}
				waiting = append(waiting, name)
			}
		}
	}
	if len(waiting) > 0 {
		return fail("not ready: %s", joinShort(waiting))
	}
	return pass("%d", n)
}

// maxNamed is the maximum number of names in a finding.
const maxNamed = 4

func joinShort(list []string) string {
	if more := len(list) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:maxNamed], ", "), more)
	}
	return strings.Join(list, ", ")
}
