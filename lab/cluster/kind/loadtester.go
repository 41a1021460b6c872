package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/loadtester"
	"coalmine/manifests"
)

// Time limits of the load tester. Its image has about 100 MB, which a node may have to pull.
const (
	testerReadyTimeout = 3 * time.Minute
	testerGoneTimeout  = 30 * time.Second
	gateOpenTimeout    = 30 * time.Second
)

// loadTester is Flagger's load tester in the lab's namespace. The zero value is that of guardrails
// that do not ask for one.
type loadTester struct {
	ready bool
	// why is why it is not ready.
	why string
}

// absent says that there is no load tester, and why.
func (l loadTester) absent() string {
	if l.why == "" {
		return "the kind cluster has no load tester"
	}
	return "the kind cluster has no load tester: " + l.why
}

// reason returns why a webhook is not called.
func (l loadTester) reason(h guardrail.Hook) string {
	switch {
	case !h.Tester:
		return h.URL.Host + " is not in the lab"
	case l.ready || h.Task.Kind == loadtester.KindTask && h.Task.Name != "bash":
		return "the lab cannot run its " + h.Task.Name + " task"
	}
	return l.absent()
}

// url returns what a webhook calls in place of its own load tester.
func (loadTester) url(h guardrail.Hook) string {
	u := *h.URL
	u.Scheme, u.User, u.Host = "http", nil, names.LoadTesterService+"."+names.LabNamespace
	return u.String()
}

// testable reports whether the load tester can answer a webhook as it would for the user. Tasks of
// helm, kubectl, concord and ngrinder need releases, rights and servers that the lab does not have,
// and commands of bash that look at the text of an answer need the user's own services.
func testable(w flaggerv1.CanaryWebhook, h guardrail.Hook) bool {
	if !h.Tester || w.Type == flaggerv1.EventHook {
		return false
	}
	return h.Task.Kind != loadtester.KindTask || h.Task.Name == "bash" && loadtester.OnlySends(h.Task.Command)
}

// testerHook is a webhook that calls a load tester, and its Canary.
type testerHook struct {
	canary *flaggerv1.Canary
	hook   guardrail.Hook
}

// testerHooks returns the webhooks of the guardrails that the load tester is to answer.
func testerHooks(set *guardrail.Set) []testerHook {
	if set == nil {
		return nil
	}
	var list []testerHook
	for _, o := range set.Objects {
		c, ok := o.Value.(*flaggerv1.Canary)
		if !ok || c.GetAnalysis() == nil {
			continue
		}
		for _, w := range c.GetAnalysis().Webhooks {
			if h, err := guardrail.ParseHook(w); err == nil && testable(w, h) {
				list = append(list, testerHook{c, h})
			}
		}
	}
	return list
}

// deployLoadTester deploys Flagger's load tester if the guardrails ask for it, and waits until it is
// ready. If its image cannot be had, the run does without, and the result says why.
func (c *Cluster) deployLoadTester(ctx context.Context, set *guardrail.Set) (loadTester, error) {
	if len(testerHooks(set)) == 0 {
		return loadTester{}, nil
	}
	text, err := manifests.Folder("loadtester", manifests.Params{Mesh: c.mesh})
	if err != nil {
		return loadTester{}, err
	}
	objects, err := apply.Decode(text)
	if err != nil {
		return loadTester{}, err
	}
	if err := c.clients.applier.Apply(ctx, objects); err != nil {
		return loadTester{}, err
	}
	err = c.waitFor(ctx, testerReadyTimeout, "Flagger's load tester to be ready", c.whyNoLoadTester)
	switch {
	case err == nil:
		return loadTester{ready: true}, nil
	case ctx.Err() != nil:
		return loadTester{}, err
	}
	if err := errors.Join(c.deleteLoadTester(ctx)...); err != nil {
		return loadTester{}, fmt.Errorf("delete the load tester: %w", err)
	}
	return loadTester{why: reasonOf(err)}, c.waitForLoadTesterGone(ctx)
}

// imageError reports that a node cannot pull the load tester's image.
type imageError struct{ image, reason string }

func (e *imageError) Error() string {
	return "its image " + e.image + " cannot be pulled (" + e.reason + ")"
}

// reasonOf returns why the load tester did not become ready, for the card.
func reasonOf(err error) string {
	var image *imageError
	if errors.As(err, &image) {
		return image.Error()
	}
	return err.Error()
}

// whyNoLoadTester returns what the load tester waits for, "" if it is ready. It is an error that a
// node has tried to pull its image and failed.
func (c *Cluster) whyNoLoadTester(ctx context.Context) (string, error) {
	pods, err := c.clients.kube.CoreV1().Pods(names.LabNamespace).List(ctx, testerPods())
	if err != nil {
		return "", err
	}
	if len(pods.Items) == 0 {
		return "it has no pod yet", nil
	}
	p := &pods.Items[0]
	if podstatus.Ready(p) {
		return "", nil
	}
	for _, s := range p.Status.ContainerStatuses {
		w := s.State.Waiting
		if w != nil && slices.Contains(pullReasons(), w.Reason) {
			return "", &imageError{s.Image, w.Reason}
		}
	}
	return whyWaits(p), nil
}

// pullReasons are why containers wait for images that cannot be had, after the kubelet has tried.
func pullReasons() []string {
	return []string{"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
}

func testerPods() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labelComponent + "=" + componentLoadTester}
}

// deleteLoadTester deletes the load tester of a run, if there is one. The errors may be "not found".
func (c *Cluster) deleteLoadTester(ctx context.Context) []error {
	background, now := metav1.DeletePropagationBackground, int64(0)
	err := []error{
		c.clients.kube.AppsV1().Deployments(names.LabNamespace).DeleteCollection(ctx,
			metav1.DeleteOptions{PropagationPolicy: &background}, testerPods()),
		c.clients.kube.CoreV1().Pods(names.LabNamespace).DeleteCollection(ctx,
			metav1.DeleteOptions{GracePeriodSeconds: &now}, testerPods()),
		c.clients.kube.CoreV1().Services(names.LabNamespace).Delete(ctx, names.LoadTesterService,
			metav1.DeleteOptions{}),
	}
	return slices.DeleteFunc(err, func(err error) bool { return err == nil || apierrors.IsNotFound(err) })
}

func (c *Cluster) waitForLoadTesterGone(ctx context.Context) error {
	return c.waitFor(ctx, testerGoneTimeout, "the load tester to go", func(ctx context.Context) (string, error) {
		left, err := c.clients.kube.CoreV1().Pods(names.LabNamespace).List(ctx, testerPods())
		if err != nil || len(left.Items) == 0 {
			return "", err
		}
		return "pod " + left.Items[0].Name + " still exists", nil
	})
}

// openTesterGates opens the gates of the load tester once the release is approved, as a person does.
func (w *world) openTesterGates(ctx context.Context, released time.Time) {
	if !w.tester.ready || w.spec.ApproveAfter < 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := w.stop
	w.stop = func() { cancel(); stop() }
	opened := map[string]bool{}
	for _, t := range testerHooks(w.spec.Guardrails) {
		name := t.canary.Name
		if opened[name] || t.hook.URL.Path != "/gate/check" {
			continue
		}
		opened[name] = true
		w.readers.Go(func() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(released.Add(w.spec.ApproveAfter))):
			}
			if err := w.cluster.clients.openTesterGate(ctx, name); err != nil && ctx.Err() == nil {
				w.health.report(roleLoadTester, "the gate of canary "+name+" cannot be opened: "+err.Error())
				w.wake()
			}
		})
	}
}

// openTesterGate opens the gate of a Canary through the API server, which may be away for a while.
func (c clients) openTesterGate(ctx context.Context, canary string) error {
	body := fmt.Sprintf(`{"name":%q,"namespace":%q}`, canary, names.DevelopNamespace)
	call := http.Client{Transport: c.transport}
	var last error
	err := wait.PollUntilContextTimeout(ctx, recheckInterval, gateOpenTimeout, true,
		func(ctx context.Context) (bool, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.testerURL+"/gate/open",
				strings.NewReader(body))
			if err != nil {
				return false, err
			}
			resp, err := call.Do(req)
			if err == nil {
				_ = resp.Body.Close() // it is empty
				if resp.StatusCode != http.StatusAccepted {
					err = errors.New(resp.Status)
				}
			}
			last = err
			return err == nil, nil
		})
	return cmp.Or(last, err)
}
