package apply

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// This file finds containers that keep ending, and why.

// maxRestarts is how often a container may be restarted without success. The kubelet waits 0, 10 and
// 20 s before these restarts, and then up to five minutes.
const maxRestarts = 3

// keepsEnding reports whether a container has ended after each of its restarts.
func keepsEnding(s *corev1.ContainerStatus) bool {
	ended := s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 ||
		s.State.Waiting != nil && s.State.Waiting.Reason == reasonCrash
	return ended && s.RestartCount >= maxRestarts
}

// reasonCrash is the kubelet's reason for a container that waits for its next restart.
const reasonCrash = "CrashLoopBackOff"

// addLogs adds the line with the error to obstacles that are ended containers.
func (c *Client) addLogs(ctx context.Context, namespace string, all []Obstacle) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	for i := range all {
		if o := &all[i]; o.ended {
			o.Log = cmp.Or(errorLine(c.lastLog(ctx, namespace, o.Pod, o.Container)), o.Log)
		}
	}
}

// maxLog bounds what is read of a container's log, in bytes. Errors are at the end, or not far from
// the start.
const maxLog = 256 << 10

// lastLog returns the log of a container's last attempt, "" if there is none. That is not the
// previous one unless the container runs again. The kubelet answers 200 if a log is gone (kubernetes,
// pkg/kubelet/kuberuntime/kuberuntime_container.go, GetContainerLogs).
func (c *Client) lastLog(ctx context.Context, namespace, pod, container string) string {
	limit := int64(maxLog)
	for _, previous := range []bool{false, true} {
		text, err := c.core.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Previous: previous, LimitBytes: &limit,
		}).DoRaw(ctx)
		if err == nil && len(text) > 0 && !bytes.HasPrefix(text, []byte("unable to retrieve container logs")) {
			return string(text)
		}
	}
	return ""
}

// errorPatterns find the line with the error, the surest first.
func errorPatterns() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?i)\b(panic|fatal|level=(error|fatal)|"level":"(error|fatal)")|^(error|[EF]\d{4} )`),
		regexp.MustCompile(`(?i)\b(error|failed|failure|cannot|could not|unable|exception|denied|refused|no such|` +
			`not found|not defined|invalid|unknown|unexpected|missing|out of memory)\b`),
	}
}

// maxLine bounds a line of a log, in bytes.
const maxLine = 300

// errorLine returns the first line of a log that looks like an error, or else the last one. Indented
// lines are those of help texts and stack traces.
func errorLine(log string) string {
	var lines, outer []string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		lines = append(lines, line)
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			outer = append(outer, line)
		}
	}
	if len(outer) > 0 {
		lines = outer
	}
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	for _, p := range errorPatterns() {
		if i := slices.IndexFunc(lines, p.MatchString); i >= 0 {
			line = lines[i]
			break
		}
	}
	return printable(line)
}

// printable returns a line without control characters, which a log may send to the terminal.
func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(line), "?"))
	if len(line) > maxLine {
		return strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	return line
}

// ReplaceCrashed deletes the pods of workloads whose containers keep ending, because the kubelet
// may wait minutes before it tries again. Their controllers create new ones. It returns the names
// of the pods.
func (c *Client) ReplaceCrashed(ctx context.Context, refs ...Ref) ([]string, error) {
	ctx = silenceLogs(ctx)
	var replaced []string
	for _, r := range refs {
		pods, all, err := c.podsOfWorkload(ctx, r)
		if err != nil {
			return replaced, fmt.Errorf("find the pods of %s: %w", r, err)
		}
		for _, o := range obstacles(all, c.now()) {
			if !o.ended || !o.permanent || slices.Contains(replaced, o.Pod) {
				continue
			}
			if err := pods.Delete(ctx, o.Pod, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return replaced, fmt.Errorf("delete pod %s: %w", o.Pod, err)
			}
			replaced = append(replaced, o.Pod)
		}
	}
	return replaced, nil
}

// podsOfWorkload returns the pods of a workload and their client. An object without a selector has
// none.
func (c *Client) podsOfWorkload(ctx context.Context, r Ref) (dynamic.ResourceInterface, []unstructured.Unstructured,
	error) {
	resource, err := c.resource(r, "")
	if err != nil {
		return nil, nil, err
	}
	o, err := resource.Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	selector, ok := selectorOf(o)
	if !ok {
		return nil, nil, nil
	}
	pods, err := c.resource(podsOf(r.Namespace), "")
	if err != nil {
		return nil, nil, err
	}
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, nil, err
	}
	return pods, list.Items, nil
}
