package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// weights knows which share of the traffic each version of each service gets. Every pod asks each second, and all of them are given
// what was read last.
type weights struct {
	cluster *cluster
	now     func() time.Time

	mu     sync.Mutex
	read   time.Time
	shares map[versionKey]float64
	err    error
}

type versionKey struct{ service, version string }

// weightMaxAge is how old an answer may be.
const weightMaxAge = 900 * time.Millisecond

// percent is the share of a version in percent: 0 where none of its pods is ready, or no route leads to them.
func (w *weights) percent(ctx context.Context, service, version string) (float64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now().Sub(w.read) >= weightMaxAge {
		w.shares, w.err = w.cluster.shares(ctx)
		w.read = w.now()
	}
	return 100 * w.shares[versionKey{service, version}], w.err
}

// shares computes, as the sim does, what versions get of the traffic to a Service that has the name of their demo service. Where rules
// look at headers, the share is that of the least specific rule: of those who match no other.
func (c *cluster) shares(ctx context.Context) (map[versionKey]float64, error) {
	routes, err := c.routes(ctx)
	if err != nil {
		return nil, err
	}
	table, err := mesh.Compile(routes)
	if err != nil {
		return nil, err
	}
	ends, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	shares := map[versionKey]float64{}
	for _, s := range c.scenario.Services {
		rule := defaultRule(table, &s)
		available := func(i int) bool { return len(ends[rule.Backends[i].Service]) > 0 }
		for i, b := range rule.Backends {
			part := rule.Share(i, available)
			for _, version := range ends[b.Service] {
				shares[versionKey{s.Name, version}] += part / float64(len(ends[b.Service]))
			}
		}
	}
	return shares, nil
}

// defaultRule is the rule for those who match no other: one without conditions, or the service's own endpoints.
func defaultRule(table *mesh.Table, s *scenario.Service) *mesh.CompiledRule {
	rules := slices.DeleteFunc(table.Rules(scenario.Namespace, s.Name, s.Port), func(r *mesh.CompiledRule) bool {
		return r.Route.Name == drillRoute(s.Name) || len(r.Backends) == 0
	})
	for _, r := range slices.Backward(rules) {
		if r.String() == "" {
			return r
		}
	}
	if len(rules) > 0 {
		return rules[len(rules)-1]
	}
	return &mesh.CompiledRule{Rule: mesh.Rule{Backends: []mesh.Backend{{Service: s.Name, Namespace: scenario.Namespace, Weight: 1}}}}
}

// endpoints are the versions of the ready pods behind each Service.
func (c *cluster) endpoints(ctx context.Context) (map[string][]string, error) {
	services, err := c.Kube.CoreV1().Services(scenario.Namespace).List(ctx, metav1.ListOptions{})
	pods, err2 := c.Kube.CoreV1().Pods(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("list Services and pods: %w", err)
	}
	ends := map[string][]string{}
	for _, s := range services.Items {
		selector := labels.SelectorFromSet(s.Spec.Selector)
		if len(s.Spec.Selector) == 0 {
			continue
		}
		for i := range pods.Items {
			if p := &pods.Items[i]; ready(p) && selector.Matches(labels.Set(p.Labels)) {
				ends[s.Name] = append(ends[s.Name], versionOf(p))
			}
		}
	}
	return ends, nil
}

// versionLabel is on the pods of the demo services.
const versionLabel = "version"

func versionOf(p *corev1.Pod) string { return p.Labels[versionLabel] }
