package apply

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	deploymentPath = "/apis/apps/v1/namespaces/ns/deployments/d"
	podPath        = "/api/v1/namespaces/ns/pods/d-1"
)

var theDeployment = Ref{Group: "apps", Kind: "Deployment", Namespace: "ns", Name: "d"}

// deploymentAt is a Deployment of one replica with the given number available.
func deploymentAt(t *testing.T, available string) map[string]any {
	return one(t, `apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: ns, generation: 2}
spec: {replicas: 1, selector: {matchLabels: {app: d}}}
status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: `+available+`}`)
}

func one(t *testing.T, text string) map[string]any {
	t.Helper()
	return objects(t, text)[0].Object
}

// podWith is the Deployment's pod, created at the start of the test, with a container in the given
// state.
func podWith(t *testing.T, state string) map[string]any {
	return one(t, `apiVersion: v1
kind: Pod
metadata: {name: d-1, namespace: ns, labels: {app: d}, creationTimestamp: "2026-03-01T12:00:00Z"}
spec: {nodeName: node-1}
status:
  containerStatuses:
  - {name: proxy, image: "cr.l5d.io/linkerd/proxy:edge", ready: false, restartCount: 2, imageID: "", `+state+`}`)
}

func TestReadyAtOnce(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	s.put(deploymentPath, deploymentAt(t, "1"))
	if err := c.Ready(context.Background(), theDeployment); err != nil {
		t.Error(err)
	}
	if err := c.Ready(context.Background()); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
}

// TestReadyFollows: the Deployment appears, is observed, and becomes available, each only once the
// client watches.
func TestReadyFollows(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	old := deploymentAt(t, "1")
	_ = unstructured.SetNestedField(old, int64(3), "metadata", "generation")
	s.watched = func() {
		s.mu.Lock()
		n := s.watches
		s.mu.Unlock()
		if n == 1 {
			s.put(deploymentPath, old)
			s.put(deploymentPath, deploymentAt(t, "0"))
			s.put(deploymentPath, deploymentAt(t, "1"))
		}
	}
	if err := c.Ready(context.Background(), theDeployment); err != nil {
		t.Error(err)
	}
}

func TestReadyRestartsBrokenWatches(t *testing.T) {
	s := newServer(t)
	c, at := newTestClient(t, s)
	s.put(deploymentPath, deploymentAt(t, "0"))
	breaks := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") != "true" || !strings.HasSuffix(r.URL.Path, "/deployments") {
			return false
		}
		switch breaks++; breaks {
		case 1:
			broken(w, r)
		case 2:
			refuse(w, 410, "Expired", "too old resource version")
		case 3:
			answer(w, 200, map[string]any{"type": "ERROR", "object": map[string]any{
				"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
				"message": "too old",
			}})
		case 4:
			s.put(deploymentPath, deploymentAt(t, "1"))
			answer(w, 200, map[string]any{"type": "BOOKMARK", "object": deploymentAt(t, "0")}) // and ends
		}
		return true
	}
	if err := c.Ready(context.Background(), theDeployment); err != nil {
		t.Error(err)
	}
	if breaks != 4 || at.waits == 0 {
		t.Errorf("%d watches, %d pauses", breaks, at.waits)
	}
}

// TestMissingImageEndsTheWait: after a minute of attempts, the error names the node and the image.
func TestMissingImageEndsTheWait(t *testing.T) {
	s := newServer(t)
	c, at := newTestClient(t, s)
	s.put(deploymentPath, deploymentAt(t, "0"))
	s.put("/apis/apps/v1/namespaces/ns/deployments/other", deploymentAt(t, "0"))
	pull := `state: {waiting: {reason: ImagePullBackOff, message: no such host}}`
	s.put(podPath, podWith(t, pull))
	s.watched = func() { // the kubelet retries later
		at.mu.Lock()
		at.at = start.Add(pullGrace)
		at.mu.Unlock()
		s.put(podPath, podWith(t, pull))
	}
	err := c.Ready(context.Background(), theDeployment)
	var found *NotReady
	if !errors.As(err, &found) || len(found.Obstacles) != 1 {
		t.Fatalf("error %v", err)
	}
	want := Obstacle{Pod: "d-1", Node: "node-1", Container: "proxy", Image: "cr.l5d.io/linkerd/proxy:edge",
		Reason: "ImagePullBackOff", Message: "no such host", permanent: true}
	if found.Obstacles[0] != want {
		t.Errorf("obstacle %+v", found.Obstacles[0])
	}
	for _, part := range []string{"Deployment ns/d is not ready", "0 of 1 replicas", "node node-1", want.Image,
		"no such host"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if hint := found.Hint(); !strings.Contains(hint, want.Image) || !strings.Contains(hint, "coalmine bundle create") {
		t.Errorf("hint %q", hint)
	}
}

// TestCrashLoopEndsTheWait: a container, or an init container, that has ended after three restarts
// is named with the line of its log that has the error.
func TestCrashLoopEndsTheWait(t *testing.T) {
	const help = "Error: unknown flag: --simulate\nUsage:\n  proxy [flags]\n      --log-level string   debug, error\n"
	loop := `restartCount: 3, lastState: {terminated: {exitCode: 1, reason: Error, message: "  --log-level string"}}, ` +
		`state: {waiting: {reason: CrashLoopBackOff, message: back-off}}`
	ended := `restartCount: 3, state: {terminated: {exitCode: 1, reason: Error}}`
	for name, x := range map[string]struct{ kind, state string }{
		"container": {"containerStatuses", loop}, "init container": {"initContainerStatuses", loop},
		"just ended": {"containerStatuses", ended},
	} {
		s := newServer(t)
		c, _ := newTestClient(t, s)
		s.put(deploymentPath, deploymentAt(t, "0"))
		s.put(podPath, one(t, `apiVersion: v1
kind: Pod
metadata: {name: d-1, namespace: ns, labels: {app: d}}
spec: {nodeName: node-1}
status:
  `+x.kind+`:
  - {name: proxy, image: "", ready: false, imageID: "", `+x.state+`}`))
		s.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != podPath+"/log" {
				return false
			}
			if r.URL.Query().Get("container") != "proxy" {
				t.Errorf("%s: log of %q", name, r.URL.Query())
			}
			if r.URL.Query().Get("previous") == "true" { // as the kubelet answers for a container that was removed
				_, _ = io.WriteString(w, "unable to retrieve container logs for containerd://0123")
			} else {
				_, _ = io.WriteString(w, help)
			}
			return true
		}
		err := c.Ready(context.Background(), theDeployment)
		var found *NotReady
		if !errors.As(err, &found) || len(found.Obstacles) != 1 {
			t.Fatalf("%s: error %v", name, err)
		}
		want := "container proxy: ended 4 times, the last time with exit code 1: Error: unknown flag: --simulate"
		if !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: error %q, want %q at its end", name, err, want)
		}
		if hint := found.Hint(); !strings.Contains(hint, "kubectl logs -n ns d-1 -c proxy") {
			t.Errorf("%s: hint %q", name, hint)
		}
		replaced, err := c.ReplaceCrashed(context.Background(), theDeployment)
		if err != nil || !slices.Equal(replaced, []string{"d-1"}) || !slices.Contains(s.log, "DELETE "+podPath) {
			t.Errorf("%s: replaced %v, %v", name, replaced, err)
		}
	}
}

// TestFewRestartsAreWaitedFor: pods that are restarted until others are ready, and init containers
// that were restarted and then succeeded, are normal.
func TestFewRestartsAreWaitedFor(t *testing.T) {
	for name, status := range map[string]string{
		"twice": `containerStatuses: [{name: a, image: "", ready: false, imageID: "", restartCount: 2, ` +
			`lastState: {terminated: {exitCode: 1}}, state: {waiting: {reason: CrashLoopBackOff}}}]`,
		"in the end it ran": `initContainerStatuses: [{name: a, image: "", ready: true, imageID: "", restartCount: 5, ` +
			`state: {terminated: {exitCode: 0}}}]`,
		"it runs again": `containerStatuses: [{name: a, image: "", ready: false, imageID: "", restartCount: 5, ` +
			`lastState: {terminated: {exitCode: 1}}, state: {running: {}}}]`,
	} {
		s := newServer(t)
		c, _ := newTestClient(t, s)
		s.put(deploymentPath, deploymentAt(t, "0"))
		s.put(podPath, one(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: d-1, namespace: ns, labels: {app: d}}\n"+
			"spec: {nodeName: node-1}\nstatus: {"+status+"}"))
		watches := 0
		s.watched = func() {
			if watches++; watches == 2 { // the pods are watched too
				s.put(deploymentPath, deploymentAt(t, "1"))
			}
		}
		if err := c.Ready(context.Background(), theDeployment); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorLine(t *testing.T) {
	for _, x := range []struct{ log, want string }{
		{"",
			""},
		{"starting\n\nlistening on :8080\n",
			"listening on :8080"},
		{"Error: unknown flag: --x\nUsage:\n  app [flags]\n      --level error\n",
			"Error: unknown flag: --x"},
		{"flag provided but not defined: -x\nUsage of app:\n  -v\n\terror verbosity\n",
			"flag provided but not defined: -x"},
		{"cannot find its zone\npanic: no zone\n\ngoroutine 1 [running]:\n\tmain.go:3\n",
			"panic: no zone"},
		{`time="1" level=info msg="no error so far"` + "\n" + `time="1" level=error msg="exit status 4"` + "\nbye\n",
			`time="1" level=error msg="exit status 4"`},
		{"I0101 12:00:00 reading\nE0101 12:00:00 no configuration\nF0101 12:00:00 bye\n",
			"E0101 12:00:00 no configuration"},
		{"\x1b[31mconnection refused\x1b[0m by \x9bserver\n",
			"[31mconnection refused[0m by ?server"},
	} {
		if got := errorLine(x.log); got != x.want {
			t.Errorf("error in %q is %q, want %q", x.log, got, x.want)
		}
	}
	if got := errorLine("error " + strings.Repeat("é", 1000)); len(got) > maxLine+len("…") || !utf8.ValidString(got) {
		t.Errorf("%d bytes of a long line: %q", len(got), got)
	}
}

// timed is a context whose deadline passes on demand.
type timed struct {
	context.Context
	up   chan struct{}
	once *sync.Once
}

func newTimed() timed { return timed{context.Background(), make(chan struct{}), &sync.Once{}} }

func (c timed) end() { c.once.Do(func() { close(c.up) }) }

func (c timed) Done() <-chan struct{} { return c.up }

func (c timed) Err() error {
	select {
	case <-c.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestDeadline(t *testing.T) {
	for name, x := range map[string]struct{ state, error, hint string }{
		"crashes": {
			`lastState: {terminated: {exitCode: 2, reason: Error, message: "bad flag\n"}}, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}`,
			"container proxy: ended 3 times, the last time with exit code 2: bad flag",
			"kubectl logs -n ns d-1 -c proxy",
		},
		"young pull": {`state: {waiting: {reason: ErrImagePull, message: timeout}}`,
			"image cr.l5d.io/linkerd/proxy:edge is not available (ErrImagePull): timeout", "bundle"},
		"restarted": {`state: {running: {}}`, "restarted 2 times", ""},
		"starting": {`state: {waiting: {reason: ContainerCreating}}`,
			"0 of 1 replicas are available: context deadline exceeded", ""},
	} {
		s := newServer(t)
		c, _ := newTestClient(t, s)
		s.put(deploymentPath, deploymentAt(t, "0"))
		s.put(podPath, podWith(t, x.state))
		ctx := newTimed()
		s.watched = ctx.end
		err := c.Ready(ctx, theDeployment)
		var found *NotReady
		if !errors.As(err, &found) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%s: error %v", name, err)
		}
		if !strings.Contains(err.Error(), x.error) {
			t.Errorf("%s: error %q, want %q in it", name, err, x.error)
		}
		if hint := found.Hint(); !strings.Contains(hint, x.hint) || x.hint == "" && hint != "" {
			t.Errorf("%s: hint %q, want %q in it", name, hint, x.hint)
		}
	}
}

// TestFailureEndsTheWaitForAll: only the failed object is reported.
func TestFailureEndsTheWaitForAll(t *testing.T) {
	s := newServer(t)
	c, _ := newTestClient(t, s)
	s.put(deploymentPath, deploymentAt(t, "0"))
	s.put("/apis/batch/v1/namespaces/ns/jobs/j", one(t, `apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: ns}
status: {conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded, message: too often}]}`))
	err := c.Ready(context.Background(), theDeployment, Ref{Group: "batch", Kind: "Job", Namespace: "ns", Name: "j"})
	if err == nil || !strings.Contains(err.Error(), "BackoffLimitExceeded: too often") || strings.Contains(err.Error(),
		"Deployment") {
		t.Errorf("error %v", err)
	}
}

func TestWebhooksNeedAnEndpoint(t *testing.T) {
	const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/w"
	hook := Ref{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration", Name: "w"}
	endpoints := func(ready string) map[string]any {
		return one(t, `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: answers-1, namespace: ns, labels: {kubernetes.io/service-name: answers}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: `+ready+`}}]`)
	}
	s := newServer(t)
	c, _ := newTestClient(t, s)
	s.put(path, one(t, `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: w}
webhooks: [{name: elsewhere, clientConfig: {url: "https://example.com"}}, {name: here, clientConfig: {service: {namespace: ns, name: answers}}}]`))
	const slice = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices/answers-1"
	s.put(slice, endpoints("false"))
	ctx := newTimed()
	s.watched = ctx.end
	err := c.Ready(ctx, hook)
	if err == nil || !strings.Contains(err.Error(), "Service ns/answers has no ready endpoint") {
		t.Errorf("error %v", err)
	}
	s.watched = func() { s.put(slice, endpoints("true")) }
	if err := c.Ready(context.Background(), hook); err != nil {
		t.Error(err)
	}
}

func TestConditions(t *testing.T) {
	for name, x := range map[string]struct {
		object string
		want   string // "" for ready
	}{
		"CRD without conditions": {"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: " +
			"{name: x}\nstatus: {conditions: null}", "not Established yet"},
		"CRD with clashing names": {"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: " +
			"{name: x}\n" +
			"status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'False', " +
			"message: names clash}]}", "names clash"},
		"API service": {"apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: x}\nstatus: " +
			"{conditions: [{type: Available, status: 'True'}]}", ""},
		"DaemonSet": {"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: x}\n" +
			"status: {desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1}", "1 of 2 pods"},
		"StatefulSet": {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: x}\nspec: {replicas: 3}\nstatus: " +
			"{updatedReplicas: 3, readyReplicas: 2}", "2 of 3 replicas"},
		"Deployment during a rollout": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n" +
			"spec: {replicas: 1}\nstatus: {replicas: 2, updatedReplicas: 1, availableReplicas: 2}", "earlier template"},
		"Deployment without replicas": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n" +
			"spec: {replicas: 0}", ""},
		"Job": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nstatus: {succeeded: 1, conditions: [{type: " +
			"Complete, status: 'True'}]}", ""},
		"running Job": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nstatus: {succeeded: 1}",
			"1 pods succeeded"},
	} {
		o := objects(t, x.object)
		if refs := Waitable(o); len(refs) != 1 {
			t.Errorf("%s: waitable %v", name, refs)
			continue
		}
		got, err := conditionOf(RefOf(o[0]))(o[0])
		if err != nil || got.ready != (x.want == "") || !strings.Contains(got.text, x.want) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, x.want)
		}
	}
	if refs := Waitable(objects(t, config)); len(refs) != 0 {
		t.Errorf("waitable %v: a ConfigMap is always ready", refs)
	}
}
