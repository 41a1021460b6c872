package control

import (
	"errors"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// ErrNoPod says that the process does not run in a pod.
var ErrNoPod = errors.New("there is no service account of a pod")

// InPod gives a configuration the clients of the cluster in whose pod the process runs. What informers have to say goes to its log
// from then on, for the whole process. Outside of pods the error is [ErrNoPod].
func InPod(cfg Config) (Config, error) {
	c, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return cfg, ErrNoPod
	}
	if err != nil {
		return cfg, fmt.Errorf("service account of the pod: %w", err)
	}
	klog.SetSlogLogger(cfg.Log)
	c.QPS, c.Burst = 100, 200 // a TokenReview for each pod that starts, and all of a rollout's start at once
	if cfg.Kubernetes, err = kubernetes.NewForConfig(c); err != nil {
		return cfg, err
	}
	cfg.Dynamic, err = dynamic.NewForConfig(c)
	return cfg, err
}
