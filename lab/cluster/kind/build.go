package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// Time limits for preparing a run. All together take about twenty seconds if the nodes have the
// images.
const (
	deleteTimeout = 3 * time.Minute
	readyTimeout  = 3 * time.Minute
	pollInterval  = 500 * time.Millisecond
)

// prepare sets up a run in a new namespace: it deletes what an earlier run left, and starts
// services, agent and traffic pods. It returns what it applied of the scenario's own manifests.
func (c *Cluster) prepare(ctx context.Context, f cluster.RunSpec, agent *client.Agent) ([]event.Fact, error) {
	if err := c.cleanUp(ctx); err != nil {
		return nil, err
	}
	if err := c.deleteNamespace(ctx); err != nil {
		return nil, err
	}
	applied, err := c.createServices(ctx, f)
	if err != nil {
		return nil, err
	}
	if err := c.createAgent(ctx, f); err != nil {
		return nil, err
	}
	for _, w := range f.Scenario.Clients {
		if err := c.clients.apply(ctx, c.trafficObjects(f.Scenario, w)...); err != nil {
			return nil, err
		}
	}
	if err := c.waitForServices(ctx, f.Scenario); err != nil {
		return nil, err
	}
	return applied, c.waitForTrafficPods(ctx, agent)
}

// cleanUp deletes what an earlier run left, except the namespace of its services.
func (c *Cluster) cleanUp(ctx context.Context) error {
	background, now := metav1.DeletePropagationBackground, int64(0)
	parts := metav1.ListOptions{LabelSelector: labelComponent}
	jobs := c.clients.kube.BatchV1().Jobs(names.DevelopNamespace).DeleteCollection(ctx,
		metav1.DeleteOptions{PropagationPolicy: &background}, parts)
	pods := c.clients.kube.CoreV1().Pods(names.LabNamespace).DeleteCollection(ctx,
		metav1.DeleteOptions{GracePeriodSeconds: &now}, parts)
	core := c.clients.kube.CoreV1()
	errs := []error{jobs, pods}
	for _, name := range []string{names.AgentService, names.GateService} {
		errs = append(errs, core.Services(names.LabNamespace).Delete(ctx, name, metav1.DeleteOptions{}))
	}
	errs = append(errs, core.ConfigMaps(names.LabNamespace).Delete(ctx, agentName, metav1.DeleteOptions{}))
	errs = append(errs, c.deleteLoadTester(ctx)...)
	for i, err := range errs {
		if apierrors.IsNotFound(err) {
			errs[i] = nil
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete the last run: %w", err)
	}
	return c.waitFor(ctx, deleteTimeout, "the last run's agent to go", func(ctx context.Context) (string, error) {
		left, err := core.Pods(names.LabNamespace).List(ctx, parts)
		if err != nil || len(left.Items) == 0 {
			return "", err
		}
		return "pod " + left.Items[0].Name + " still exists", nil
	})
}

// deleteNamespace deletes the namespace of the services and waits until it is gone.
func (c *Cluster) deleteNamespace(ctx context.Context) error {
	namespaces, now := c.clients.kube.CoreV1().Namespaces(), int64(0)
	err := namespaces.Delete(ctx, names.DevelopNamespace, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil && !apierrors.IsConflict(err) { // it is terminating already
		return fmt.Errorf("delete namespace %s: %w", names.DevelopNamespace, err)
	}
	// The pods serve nobody any more and need not drain.
	err = c.clients.kube.CoreV1().Pods(names.DevelopNamespace).DeleteCollection(ctx,
		metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("delete the pods of namespace %s: %w", names.DevelopNamespace, err)
	}
	if err := c.removeFinalizers(ctx); err != nil {
		return err
	}
	return c.waitFor(ctx, deleteTimeout, "namespace "+names.DevelopNamespace+" to go",
		func(ctx context.Context) (string, error) {
			ns, err := namespaces.Get(ctx, names.DevelopNamespace, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return "", nil
			}
			if err != nil {
				return "", err
			}
			return whyTerminating(ns), nil
		})
}

// removeFinalizers removes the finalizers of canaries: because of them Flagger would first restore
// what it found (spec.revertOnDeletion), which is being deleted too.
func (c *Cluster) removeFinalizers(ctx context.Context) error {
	canaries := c.clients.flagger.FlaggerV1beta1().Canaries(names.DevelopNamespace)
	list, err := canaries.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the canaries: %w", err)
	}
	for _, canary := range list.Items {
		if len(canary.Finalizers) == 0 {
			continue
		}
		_, err := canaries.Patch(ctx, canary.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("canary %s: %w", canary.Name, err)
		}
	}
	return nil
}

// whyTerminating returns what Kubernetes reports about a namespace that does not go.
func whyTerminating(ns *corev1.Namespace) string {
	var why []string
	for _, c := range ns.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			why = append(why, c.Message)
		}
	}
	if len(why) == 0 {
		return "its objects are being deleted"
	}
	return strings.Join(why, "; ")
}

// createServices creates what the platform runs before any guardrail.
func (c *Cluster) createServices(ctx context.Context, f cluster.RunSpec) ([]event.Fact, error) {
	config, err := c.configMap(f, names.DevelopNamespace, names.ScenarioConfigMap)
	if err != nil {
		return nil, err
	}
	all := workloadsOf(f.Scenario, f.Seed, c.image).Objects()
	all = append(all[:1:1], append([]runtime.Object{config},
		all[1:]...)...) // in the namespace, and before the pods that read it
	if err := c.clients.apply(ctx, all...); err != nil {
		return nil, err
	}
	set, err := workloads.ParseManifests(f.Scenario, "environment.yaml", f.Scenario.Environment)
	if err != nil || set == nil {
		return nil, err
	}
	return c.applySet(ctx, set, event.OwnerScenario, loadTester{})
}

func (c *Cluster) createAgent(ctx context.Context, f cluster.RunSpec) error {
	config, err := c.configMap(f, names.LabNamespace, agentName)
	if err != nil {
		return err
	}
	all := append([]runtime.Object{config}, agentRBAC()...)
	if err := c.clients.apply(ctx, append(all, c.agentObjects(f.Scenario)...)...); err != nil {
		return err
	}
	return c.waitFor(ctx, readyTimeout, "the agent to be ready", func(ctx context.Context) (string, error) {
		p, err := c.clients.kube.CoreV1().Pods(names.LabNamespace).Get(ctx, agentName, metav1.GetOptions{})
		switch {
		case err != nil:
			return "", err
		case p.Status.Phase == corev1.PodFailed:
			return "", fmt.Errorf("its pod failed: %s", whyFailed(p))
		case podstatus.Ready(p):
			return "", nil
		}
		return whyWaits(p), nil
	})
}

// applySet creates the objects of a set in order, with this cluster's addresses. It returns the
// facts about them; after an error, about those that were applied.
func (c *Cluster) applySet(ctx context.Context, set *guardrail.Set, owner string, tester loadTester) ([]event.Fact,
	error) {
	var applied []event.Fact
	for _, o := range set.Objects {
		object := set.Played(o)
		if object == nil {
			continue
		}
		adapted := adapt(object, set.LeftOut(o), tester)
		workloads.RewriteEndpoints(object, endpoints{})
		if ns, ok := object.(*corev1.Namespace); ok {
			keepInjected(ns)
		}
		if err := c.clients.apply(ctx, object); err != nil {
			return applied, fmt.Errorf("%s: %w", o.Source, err)
		}
		applied = append(append(applied, workloads.AppliedFact(set, o, owner)), adapted...)
	}
	return applied, nil
}

// keepInjected keeps the mesh in a namespace whose manifest does not mention it.
func keepInjected(ns *corev1.Namespace) {
	if _, ok := ns.Annotations[names.InjectAnnotation]; ok {
		return
	}
	if ns.Annotations == nil {
		ns.Annotations = map[string]string{}
	}
	ns.Annotations[names.InjectAnnotation] = "enabled"
}

// endpoints makes the learner's objects use the agent.
type endpoints struct{}

// Prometheus implements [workloads.Endpoints].
func (endpoints) Prometheus(canary string) string {
	if canary != "" {
		canary += "." + names.DevelopNamespace
	}
	return client.PrometheusURL(canary)
}

// Alerts implements [workloads.Endpoints].
func (endpoints) Alerts(provider string) string { return client.AlertURL(provider) }

// Gate implements [workloads.Endpoints].
func (endpoints) Gate(canary string, _ int, hook flaggerv1.CanaryWebhook) string {
	return client.GateURL(hook.URL, canary, string(hook.Type))
}

// waitForServices waits until every Deployment has its pods.
func (c *Cluster) waitForServices(ctx context.Context, s *scenario.Scenario) error {
	return c.waitFor(ctx, readyTimeout, "the services to be ready", func(ctx context.Context) (string, error) {
		for _, svc := range s.Services {
			deployments := c.clients.kube.AppsV1().Deployments(names.DevelopNamespace)
			d, err := deployments.Get(ctx, svc.Name, metav1.GetOptions{})
			if err != nil {
				return "", err
			}
			if int(d.Status.ReadyReplicas) < svc.Replicas {
				return fmt.Sprintf("%s has %d of %d pods; %s",
					svc.Name, d.Status.ReadyReplicas, svc.Replicas, c.whyUnready(ctx, "app="+svc.Name)), nil
			}
		}
		return "", nil
	})
}

// waitForTrafficPods waits until every traffic pod has reported to the agent.
func (c *Cluster) waitForTrafficPods(ctx context.Context, agent *client.Agent) error {
	return c.waitFor(ctx, readyTimeout, "the traffic pods to be ready", func(ctx context.Context) (string, error) {
		status, err := agent.Status(ctx)
		var statusErr *client.StatusError
		switch {
		case errors.As(err, &statusErr) && statusErr.Status >= 500: // its Service has no endpoint yet
			return statusErr.Error(), nil
		case err != nil:
			return "", err
		case status.Fault != "":
			return "", errors.New(status.Fault)
		case len(status.Missing) > 0:
			return fmt.Sprintf("%s is missing; %s", strings.Join(status.Missing, ", "),
				c.whyUnready(ctx, labelComponent+"="+componentTraffic)), nil
		}
		return "", nil
	})
}

// waitFor polls until nothing is left to wait for; after the limit, the error says what is. It
// tolerates an API server that is briefly not available.
func (c *Cluster) waitFor(ctx context.Context, limit time.Duration, what string,
	left func(context.Context) (string, error)) error {
	var last string
	began := time.Now()
	err := wait.PollUntilContextTimeout(ctx, pollInterval, limit, true, func(ctx context.Context) (bool, error) {
		why, err := left(ctx)
		if err != nil && transient(err) {
			why, err = err.Error(), nil
		}
		if err == nil && ctx.Err() == nil {
			if last == "" && why != "" && c.waiting != nil {
				c.waiting(what + ": " + why)
			}
			last = why
		}
		return why == "" && err == nil, err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case wait.Interrupted(err):
		return fmt.Errorf("waited %v for %s: %s", time.Since(began).Round(time.Second), what, last)
	}
	return fmt.Errorf("wait for %s: %w", what, err)
}

// whyUnready returns why one of the pods is not ready.
func (c *Cluster) whyUnready(ctx context.Context, selector string) string {
	list, err := c.clients.kube.CoreV1().Pods(names.DevelopNamespace).List(ctx,
		metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err.Error()
	}
	for i := range list.Items {
		if p := &list.Items[i]; !podstatus.Ready(p) && p.Status.Phase != corev1.PodSucceeded {
			return whyWaits(p)
		}
	}
	if len(list.Items) == 0 {
		return "it has no pod yet: kubectl describe in namespace " + names.DevelopNamespace + " shows why"
	}
	return "all pods are ready"
}

// whyWaits returns what a pod waits for.
func whyWaits(p *corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating" {
			text := fmt.Sprintf("container %s of pod %s waits: %s: %s", s.Name, p.Name, w.Reason, w.Message)
			return strings.TrimSuffix(text, ": ")
		}
		if t := s.LastTerminationState.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("container %s of pod %s: %s", s.Name, p.Name, exitReason(t))
		}
	}
	if s := podstatus.Condition(p, corev1.PodScheduled); s != nil && s.Status == corev1.ConditionFalse {
		return fmt.Sprintf("pod %s cannot be scheduled: %s", p.Name, s.Message)
	}
	return fmt.Sprintf("pod %s is in phase %s", p.Name, p.Status.Phase)
}
