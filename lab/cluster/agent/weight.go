package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// weights answers which share of the traffic each version of each service gets, by the neutral name
// of the version. Every pod asks each second, and all get the result that was read last.
type weights struct {
	cluster *cluster
	now     func() time.Time

	mu     sync.Mutex
	read   time.Time
	shares map[versionKey]float64
	err    error
}

type versionKey struct{ service, version string }

// weightMaxAge is how old a result may be.
const weightMaxAge = 900 * time.Millisecond

// percent returns the share of a version in percent: 0 if none of its pods is ready, or no route
// leads to them.
func (w *weights) percent(ctx context.Context, service, version string) (float64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now().Sub(w.read) >= weightMaxAge {
		w.shares, w.err = w.cluster.shares(ctx)
		w.read = w.now()
	}
	return 100 * w.shares[versionKey{service, version}], w.err
}

// shares returns the share of the traffic to each demo service's Service that its versions get, as
// the sim computes it. If rules match headers, the share is that of the requests that match no
// other rule.
func (c *cluster) shares(ctx context.Context) (map[versionKey]float64, error) {
	routes, err := c.routes(ctx)
	if err != nil {
		return nil, err
	}
	table, err := mesh.Compile(routes)
	if err != nil {
		return nil, err
	}
	versions, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	shares := map[versionKey]float64{}
	for _, s := range c.scenario.Services {
		rule := defaultRule(table, &s)
		available := func(i int) bool { return len(versions[rule.Backends[i].Service]) > 0 }
		for i, b := range rule.Backends {
			share := rule.Share(i, available)
			for _, version := range versions[b.Service] {
				shares[versionKey{s.Name, version}] += share / float64(len(versions[b.Service]))
			}
		}
	}
	return shares, nil
}

// defaultRule returns the rule for requests that match no other: one without conditions, or else
// the service's own endpoints.
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
	return &mesh.CompiledRule{Rule: mesh.Rule{Backends: []mesh.Backend{{Service: s.Name, Namespace: scenario.Namespace,
		Weight: 1}}}}
}

// endpoints returns the neutral names of the versions of the ready pods behind each Service.
func (c *cluster) endpoints(ctx context.Context) (map[string][]string, error) {
	services, err := c.Kube.CoreV1().Services(scenario.Namespace).List(ctx, metav1.ListOptions{})
	pods, err2 := c.Kube.CoreV1().Pods(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("list Services and pods: %w", err)
	}
	versions := map[string][]string{}
	for _, s := range services.Items {
		selector := labels.SelectorFromSet(s.Spec.Selector)
		if len(s.Spec.Selector) == 0 {
			continue
		}
		for i := range pods.Items {
			if p := &pods.Items[i]; podstatus.Serving(p) && selector.Matches(labels.Set(p.Labels)) {
				versions[s.Name] = append(versions[s.Name], p.Labels[workloads.LabelVersion])
			}
		}
	}
	return versions, nil
}
