// Package indexedjob plays the chunks of a grading as an Indexed Job of a Kubernetes cluster.
//
// Tasks and results are in a volume that the user names. They get there and back through a pod that
// mounts it, as archives over the API server's exec, so that nothing has to be reachable from
// outside. The Job retries chunks that fail; chunks skip what is done already.
package indexedjob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/input"
)

// Verb is the program's verb in the pods; its first argument is play, wait, check, receive, send or remove.
const Verb = "grade-pod"

// Cluster is where chunks are played. It implements grade.Remote.
type Cluster struct {
	Client kubernetes.Interface
	// Exec runs a command in the container of a pod.
	Exec func(ctx context.Context, namespace, pod string, command []string, in io.Reader, out io.Writer) error
	// Namespace has the claim of the volume. Pods is how many play at the same time.
	Namespace, Claim, Image string
	Pods                    int
	// Keep leaves the files of a grading that failed in the volume, so that it can go on there. They have
	// the secret seeds.
	Keep bool
	// Digest is that of the program that grades. The image must have the same one.
	Digest string
	// Poll is how often the state of pods and of the Job is read.
	Poll time.Duration
	// StartTimeout is how long the first pod may take to start.
	StartTimeout time.Duration
}

// run is one use of a cluster.
type run struct {
	Cluster
	name string
}

// Play implements grade.Remote.
func (c Cluster) Play(ctx context.Context, dir string, chunks int, done func(int)) error {
	digest, err := digestOf(dir)
	if err != nil {
		return err
	}
	r := &run{Cluster: c, name: "coalmine-grade-" + digest}
	if err := r.start(ctx); err != nil {
		return errors.Join(err, r.clean(ctx, false))
	}
	err = r.exec(ctx, nil, io.Discard, "check", c.Digest)
	if err == nil {
		err = r.play(ctx, dir, chunks, done)
	}
	return errors.Join(err, r.clean(ctx, err == nil || !r.Keep))
}

// digestOf names a grading after its tasks: given again, it finds what is done in the volume.
func digestOf(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		fmt.Fprintf(h, "%s\x00%d\x00%s", rel, len(data), data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:6]), err
}

// start starts the pod for files, in the place of one that an earlier grading has left.
func (r *run) start(ctx context.Context) error {
	if err := r.remove(ctx); err != nil {
		return err
	}
	claims := r.Client.CoreV1().PersistentVolumeClaims(r.Namespace)
	if _, err := claims.Get(ctx, r.Claim, metav1.GetOptions{}); err != nil {
		return input.New("name a claim by --volume; with several nodes it needs the access mode ReadWriteMany",
			"the volume cannot be used: %w", err)
	}
	pods := r.Client.CoreV1().Pods(r.Namespace)
	if _, err := pods.Create(ctx, r.files(), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the pod for files: %w", err)
	}
	return r.until(ctx, r.StartTimeout, "the pod for files to run", func(ctx context.Context) (bool, error) {
		p, err := pods.Get(ctx, r.name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return p.Status.Phase == corev1.PodRunning, podProblem(p)
	})
}

// podProblem returns why a pod will not start, or nil.
func podProblem(p *corev1.Pod) error {
	switch _, reason := podstatus.Waiting(p); reason {
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName":
		return input.New("coalmine grade image writes an image for the nodes or a registry",
			"the cluster cannot get the image %s: %s", p.Spec.Containers[0].Image, reason)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return fmt.Errorf("the cluster cannot run the image %s: %s", p.Spec.Containers[0].Image, reason)
	}
	if p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
		return input.New("the image must have this program as /coalmine: make it with coalmine grade image",
			"the pod for files ended: %s", p.Status.Message)
	}
	return nil
}

// until polls until a condition is true.
func (r *run) until(ctx context.Context, limit time.Duration, what string, is wait.ConditionWithContextFunc) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := wait.PollUntilContextCancel(limited, r.Poll, true, is)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("waited %v for %s", limit, what)
	}
	return err
}

// play sends the tasks, plays the chunks, and fetches the results.
func (r *run) play(ctx context.Context, dir string, chunks int, done func(int)) error {
	if err := r.send(ctx, dir); err != nil {
		return err
	}
	jobs := r.Client.BatchV1().Jobs(r.Namespace)
	if _, err := jobs.Create(ctx, r.job(chunks), metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the Job: %w", err)
	}
	last := int32(-1)
	err := wait.PollUntilContextCancel(ctx, r.Poll, true, func(ctx context.Context) (bool, error) {
		j, err := jobs.Get(ctx, r.name, metav1.GetOptions{})
		if err != nil {
			return false, ignoreUnreachable(err)
		}
		if n := j.Status.Succeeded; n != last {
			last = n
			done(int(n))
		}
		return finished(j), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the Job: %w", err)
	}
	return r.fetch(ctx, filepath.Join(dir, "results"))
}

// ignoreUnreachable returns nil for the error of an API server that may be back soon.
func ignoreUnreachable(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}

// finished reports whether a Job has ended, even if chunks of it failed.
func finished(j *batchv1.Job) bool {
	for _, c := range j.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// send copies a folder into the volume.
func (r *run) send(ctx context.Context, dir string) error {
	in, out := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := Pack(out, dir)
		_ = out.CloseWithError(err)
		packed <- err
	}()
	if err := r.exec(ctx, in, io.Discard, "receive", r.folder()); err != nil {
		_ = in.CloseWithError(err)
		return err
	}
	return <-packed
}

// fetch copies the results out of the volume.
func (r *run) fetch(ctx context.Context, dir string) error {
	in, out := io.Pipe()
	waiting, enough := io.Pipe() // the sender waits for the end of its input
	unpacked := make(chan error, 1)
	go func() {
		err := Unpack(in, dir)
		_ = enough.Close()
		_, _ = io.Copy(io.Discard, in) // after an error, too, so that the sender ends
		unpacked <- err
	}()
	err := r.exec(ctx, waiting, out, "send", path.Join(r.folder(), "results"))
	return errors.Join(err, out.Close(), <-unpacked)
}

// exec runs the program in the pod for files.
func (r *run) exec(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	err := r.Exec(ctx, r.Namespace, r.name, append([]string{program, Verb}, args...), in, out)
	if err != nil {
		return fmt.Errorf("%s in the pod for files: %w", args[0], err)
	}
	return nil
}

// clean removes the Job and the pod, and with files what the grading has in the volume, also if ctx has
// ended. The Job's pods are ended before, as they write there.
func (r *run) clean(ctx context.Context, files bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var err error
	if files {
		if err = r.removeJob(ctx); err == nil {
			err = r.exec(ctx, nil, io.Discard, "remove", r.folder())
		}
		if err != nil {
			err = fmt.Errorf("%s in the volume %s could not be removed, and has the secret seeds: %w",
				path.Base(r.folder()), r.Claim, err)
		}
	}
	return errors.Join(err, r.remove(ctx))
}

// removeJob deletes the Job and waits until its pods are gone.
func (r *run) removeJob(ctx context.Context) error {
	jobs := r.Client.BatchV1().Jobs(r.Namespace)
	all := metav1.DeletePropagationForeground
	if err := ignoreMissing(jobs.Delete(ctx, r.name, metav1.DeleteOptions{PropagationPolicy: &all})); err != nil {
		return fmt.Errorf("delete the Job and its pods: %w", err)
	}
	return r.until(ctx, time.Minute, "the Job and its pods to be gone", func(ctx context.Context) (bool, error) {
		_, err := jobs.Get(ctx, r.name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// remove deletes the Job and the pod and waits until they are gone.
func (r *run) remove(ctx context.Context) error {
	pods := r.Client.CoreV1().Pods(r.Namespace)
	now := int64(0)
	err := pods.Delete(ctx, r.name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err := ignoreMissing(err); err != nil {
		return errors.Join(fmt.Errorf("delete the pod for files: %w", err), r.removeJob(ctx))
	}
	if err := r.removeJob(ctx); err != nil {
		return err
	}
	return r.until(ctx, time.Minute, "the pod for files to be gone", func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, r.name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

func ignoreMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
