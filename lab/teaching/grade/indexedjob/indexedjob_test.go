package indexedjob_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"coalmine/lab/teaching/grade/indexedjob"
)

const digest = "0123"

// cluster is an API server with a volume. Its Job controller plays chunks at once: each chunk has a
// result with its number and the tasks that it has read.
type cluster struct {
	t      *testing.T
	client *fake.Clientset
	volume string
	// pod and job change what is created; fails are chunks without a result.
	pod   func(*corev1.Pod)
	fails map[int]bool
	job   *batchv1.Job // the last one
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, volume: t.TempDir(), pod: func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning }}
	c.client = fake.NewClientset(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "grading",
		Namespace: "class"}})
	c.client.PrependReactor("create", "pods", func(a k8stesting.Action) (bool, runtime.Object, error) {
		c.pod(a.(k8stesting.CreateAction).GetObject().(*corev1.Pod))
		return false, nil, nil
	})
	c.client.PrependReactor("create", "jobs", func(a k8stesting.Action) (bool, runtime.Object, error) {
		c.job = a.(k8stesting.CreateAction).GetObject().(*batchv1.Job)
		return false, nil, c.play()
	})
	return c
}

// path is a path of the containers on this machine.
func (c *cluster) path(name string) string {
	return filepath.Join(c.volume, strings.TrimPrefix(name, "/work"))
}

func (c *cluster) play() error {
	command := c.job.Spec.Template.Spec.Containers[0].Command
	dir := c.path(command[len(command)-1])
	task, err := os.ReadFile(filepath.Join(dir, "tasks", "a.json"))
	kind := batchv1.JobComplete
	for i := range int(*c.job.Spec.Completions) {
		if c.fails[i] {
			kind = batchv1.JobFailed
			continue
		}
		c.job.Status.Succeeded++
		name := filepath.Join(dir, "results", fmt.Sprint(i), "result")
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, task, 0o644))
	}
	c.job.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue}}
	return err
}

// exec does what the program does in the pod for files.
func (c *cluster) exec(_ context.Context, namespace, _ string, command []string, in io.Reader, out io.Writer) error {
	if namespace != "class" || command[0] != "/coalmine" || command[1] != indexedjob.Verb {
		c.t.Errorf("%v is run in %s", command, namespace)
	}
	switch verb, arg := command[2], command[3]; verb {
	case "check":
		if arg != digest {
			return errors.New("another program")
		}
		return nil
	case "receive":
		return indexedjob.Receive(in, c.path(arg))
	case "send":
		return indexedjob.Send(out, in, c.path(arg))
	case "remove":
		return os.RemoveAll(c.path(arg))
	}
	return errors.New("what?")
}

// use plays n chunks and returns what is told of them.
func (c *cluster) use(dir string, n int, change func(*indexedjob.Cluster)) (int, error) {
	k := indexedjob.Cluster{Client: c.client, Exec: c.exec, Namespace: "class", Claim: "grading", Image: "image",
		Pods: 3, Digest: digest, Poll: time.Microsecond, StartTimeout: time.Minute}
	if change != nil {
		change(&k)
	}
	done := 0
	err := k.Play(c.t.Context(), dir, n, func(n int) { done = n })
	return done, err
}

// left lists what is left in the cluster and in the volume.
func (c *cluster) left() int {
	pods, err1 := c.client.CoreV1().Pods("").List(c.t.Context(), metav1.ListOptions{})
	jobs, err2 := c.client.BatchV1().Jobs("").List(c.t.Context(), metav1.ListOptions{})
	entries, err3 := os.ReadDir(c.volume)
	if err := errors.Join(err1, err2, err3); err != nil {
		c.t.Fatal(err)
	}
	return len(pods.Items) + len(jobs.Items) + len(entries)
}

func newTasks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "tasks"), 0o755),
		os.WriteFile(filepath.Join(dir, "tasks", "a.json"), []byte("the task"), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPlay(t *testing.T) {
	c, dir := newCluster(t), newTasks(t)
	c.fails = map[int]bool{1: true}
	done, err := c.use(dir, 5, nil)
	if err != nil || done != 4 {
		t.Fatalf("%d chunks are done: %v", done, err)
	}
	for i := range 5 {
		data, err := os.ReadFile(filepath.Join(dir, "results", fmt.Sprint(i), "result"))
		if c.fails[i] == (err == nil) || err == nil && string(data) != "the task" {
			t.Errorf("the result of chunk %d is %q: %v", i, data, err)
		}
	}
	if n := c.left(); n != 0 {
		t.Errorf("%d objects and folders are left", n)
	}
}

func TestObjects(t *testing.T) {
	c := newCluster(t)
	if _, err := c.use(newTasks(t), 2, nil); err != nil {
		t.Fatal(err)
	}
	j := c.job.Spec
	if *j.CompletionMode != batchv1.IndexedCompletion || *j.Completions != 2 || *j.Parallelism != 2 ||
		*j.BackoffLimitPerIndex < 1 || *j.MaxFailedIndexes != 2 {
		t.Errorf("the Job is %+v", j)
	}
	pod := j.Template.Spec
	if pod.RestartPolicy != corev1.RestartPolicyNever || *pod.AutomountServiceAccountToken ||
		!*pod.SecurityContext.RunAsNonRoot || *pod.Containers[0].SecurityContext.AllowPrivilegeEscalation ||
		pod.Containers[0].Image != "image" || pod.Volumes[0].PersistentVolumeClaim.ClaimName != "grading" {
		t.Errorf("the pods are %+v", pod)
	}
}

// A grading that was killed leaves its objects; the next one takes their place.
func TestLeftovers(t *testing.T) {
	c, dir := newCluster(t), newTasks(t)
	if _, err := c.use(dir, 1, nil); err != nil {
		t.Fatal(err)
	}
	old := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: c.job.Name, Namespace: "class"}}
	c.job.ResourceVersion = ""
	if err := errors.Join(c.client.Tracker().Add(old), c.client.Tracker().Add(c.job)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "results")); err != nil {
		t.Fatal(err)
	}
	if done, err := c.use(dir, 1, nil); err != nil || done != 1 || c.left() != 0 {
		t.Errorf("%d chunks are done, %d objects are left: %v", done, c.left(), err)
	}
}

// TestFailureLeavesNoSeeds checks that a grading that fails leaves nothing in the volume, unless it is to
// go on there, and that the same grading then removes what is left.
func TestFailureLeavesNoSeeds(t *testing.T) {
	for _, keep := range []bool{false, true} {
		c, dir := newCluster(t), newTasks(t)
		fetches := c.exec
		failing := func(k *indexedjob.Cluster) {
			k.Keep = keep
			k.Exec = func(ctx context.Context, namespace, pod string, command []string, in io.Reader,
				out io.Writer) error {
				if slices.Contains(command, "send") {
					return errors.New("the connection was lost")
				}
				return fetches(ctx, namespace, pod, command, in, out)
			}
		}
		_, err := c.use(dir, 1, failing)
		if err == nil || !strings.Contains(err.Error(), "the connection was lost") {
			t.Fatalf("keep %v: error is %v", keep, err)
		}
		if n := c.left(); n != map[bool]int{true: 1}[keep] {
			t.Errorf("keep %v: %d objects and folders are left", keep, n)
		}
		if done, err := c.use(dir, 1, nil); err != nil || done != 1 || c.left() != 0 {
			t.Errorf("keep %v: then %d chunks are done, %d objects are left: %v", keep, done, c.left(), err)
		}
	}
}

func TestProblems(t *testing.T) {
	waiting := func(reason string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "coalmine",
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
		}
	}
	for name, p := range map[string]struct {
		pod    func(*corev1.Pod)
		change func(*indexedjob.Cluster)
		says   string
	}{
		"image":   {pod: waiting("ImagePullBackOff"), says: "cannot get the image"},
		"config":  {pod: waiting("CreateContainerError"), says: "cannot run the image"},
		"ends":    {pod: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, says: "the pod for files ended"},
		"pending": {pod: func(*corev1.Pod) {}, says: "waited 1ms for the pod for files"},
		"claim":   {change: func(c *indexedjob.Cluster) { c.Claim = "other" }, says: "the volume cannot be used"},
		"program": {change: func(c *indexedjob.Cluster) { c.Digest = "4567" }, says: "another program"},
	} {
		c := newCluster(t)
		if p.pod != nil {
			c.pod = p.pod
		}
		_, err := c.use(newTasks(t), 1, func(k *indexedjob.Cluster) {
			if name == "pending" {
				k.StartTimeout = time.Millisecond
			}
			if p.change != nil {
				p.change(k)
			}
		})
		if err == nil || !strings.Contains(err.Error(), p.says) || c.left() != 0 {
			t.Errorf("%s: %v, and %d objects are left; want %q", name, err, c.left(), p.says)
		}
	}
}

func TestUnpackStaysInside(t *testing.T) {
	for _, h := range []tar.Header{{Name: "../a", Typeflag: tar.TypeReg}, {Name: "/a", Typeflag: tar.TypeReg},
		{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: "a", Typeflag: tar.TypeFifo},
		{Name: "a", Typeflag: tar.TypeLink, Linkname: "b"}} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		if err := errors.Join(w.WriteHeader(&h), w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := indexedjob.Unpack(&b, filepath.Join(dir, "in")); err == nil {
			t.Errorf("%q of type %q is unpacked", h.Name, h.Typeflag)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 1 {
			t.Errorf("%q leads out: %v", h.Name, err)
		}
	}
}

// A sender waits until all is taken, so a volume that cannot be written to must not end the
// reading.
func TestReceiveReadsTheRestAfterAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	in := strings.NewReader(strings.Repeat("x", 1<<20))
	if err := indexedjob.Receive(in, filepath.Join(file, "folder")); err == nil || in.Len() > 0 {
		t.Errorf("%v with %d bytes left", err, in.Len())
	}
}
