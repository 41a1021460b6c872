package control

import (
	"errors"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// ErrNoPod is the error for a process outside of a pod.
var ErrNoPod = errors.New("the process does not run in a pod")

// InPod adds clients of the cluster that the process runs in. From then on the informers of the
// whole process log to cfg.Log. Outside of pods the error is [ErrNoPod].
func InPod(cfg Config) (Config, error) {
	c, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return cfg, ErrNoPod
	}
	if err != nil {
		return cfg, fmt.Errorf("service account of the pod: %w", err)
	}
	klog.SetSlogLogger(cfg.Log)
	c.QPS, c.Burst = 100, 200 // every pod that starts needs a TokenReview, and those of a rollout start at once
	if cfg.Kubernetes, err = kubernetes.NewForConfig(c); err != nil {
		return cfg, err
	}
	cfg.Dynamic, err = dynamic.NewForConfig(c)
	return cfg, err
}
