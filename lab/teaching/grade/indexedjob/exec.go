package indexedjob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"

	"coalmine/lab/input"
)

// Open returns the cluster that a kubeconfig names. An empty file, context or namespace is kubectl's
// default.
func Open(kubeconfig, context, namespace string) (Cluster, error) {
	files := clientcmd.NewDefaultClientConfigLoadingRules()
	files.ExplicitPath = kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context}
	overrides.Context.Namespace = namespace
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(files, overrides)
	config, err := loaded.ClientConfig()
	if err != nil {
		return Cluster{}, input.New("name a kubeconfig by KUBECONFIG and one of its contexts by --context",
			"there is no cluster: %w", err)
	}
	if namespace, _, err = loaded.Namespace(); err != nil {
		return Cluster{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Cluster{}, err
	}
	return Cluster{Client: client, Exec: execIn(config, client), Namespace: namespace, Poll: time.Second,
		StartTimeout: 5 * time.Minute}, nil
}

// execIn returns [Cluster.Exec] over the API server.
func execIn(config *rest.Config, client kubernetes.Interface) func(context.Context, string, string, []string, io.Reader,
	io.Writer) error {
	return func(ctx context.Context, namespace, pod string, command []string, in io.Reader, out io.Writer) error {
		request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
			SubResource("exec").VersionedParams(&corev1.PodExecOptions{Command: command, Stdin: in != nil, Stdout: true,
			Stderr: true}, scheme.ParameterCodec)
		executor, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, request.URL())
		if err != nil {
			return err
		}
		var stderr bytes.Buffer
		err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: out, Stderr: &stderr})
		if text := strings.TrimSpace(stderr.String()); err != nil && text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
		return err
	}
}
