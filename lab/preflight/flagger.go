package preflight

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"coalmine/lab/cluster/names"
)

func flaggerReady(ctx context.Context, l *Lab) Finding {
	f := l.deploymentsReady(ctx, names.FlaggerNamespace)
	if f.Level != OK {
		return f
	}
	list, err := l.kube.AppsV1().Deployments(names.FlaggerNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	return pass("%s", list.Items[0].Spec.Template.Spec.Containers[0].Image)
}

// flaggerProvider checks Flagger's routing provider.
func flaggerProvider(ctx context.Context, l *Lab) Finding {
	list, err := l.kube.AppsV1().Deployments(names.FlaggerNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	for _, d := range list.Items {
		c := d.Spec.Template.Spec.Containers[0]
		for _, arg := range append(c.Args, c.Command...) {
			if provider, ok := strings.CutPrefix(arg, "-mesh-provider="); ok {
				if provider != "gatewayapi:v1beta1" {
					return fail("the provider is %s", provider)
				}
				return pass("%s", provider)
			}
		}
	}
	return fail("no provider is set")
}

// stuckAfter is how long a canary may stay in a phase before it counts as stuck: longer than any
// analysis interval of the scenarios.
const stuckAfter = 15 * time.Minute

func canaries(ctx context.Context, l *Lab) Finding {
	list, err := l.objects.Resource(canaryResource).Namespace(names.DevelopNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fail("%v", err)
	}
	var stuck []string
	for _, c := range list.Items {
		phase, _, _ := unstructured.NestedString(c.Object, "status", "phase")
		changed, _, _ := unstructured.NestedString(c.Object, "status", "lastTransitionTime")
		at, err := time.Parse(time.RFC3339, changed)
		if err != nil {
			at = c.GetCreationTimestamp().Time
		}
		since := l.Now().Sub(at)
		switch phase {
		case "Initialized", "Succeeded", "Failed":
		default:
			if since > stuckAfter {
				stuck = append(stuck, fmt.Sprintf("%s is %s for %v", c.GetName(), phaseOr(phase),
					since.Round(time.Minute)))
			}
		}
	}
	if len(stuck) > 0 {
		return warn("%s", joinShort(stuck))
	}
	return pass("%d", len(list.Items))
}

func phaseOr(phase string) string {
	if phase == "" {
		return "without a phase"
	}
	return phase
}
