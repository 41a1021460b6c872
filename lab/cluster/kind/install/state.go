package install

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/names"
)

// Keys of the state in ConfigMap [names.StateConfigMap]. The mesh is recorded from the first step
// on, the image only while the cluster is up: package kind relies on it.
const (
	KeyMesh   = "mesh"
	KeyImage  = "image"
	KeyBundle = "bundle"
	// keyMeshSteps has the names of the steps of a bundle's mesh, separated by spaces.
	keyMeshSteps = "mesh-steps"
	// keyStep starts the key of each finished step; its value is the digest of the step's inputs.
	keyStep = "step."
	// keyApplied starts the key of each step whose objects are all applied, though they may not be
	// ready; its value is the same digest.
	keyApplied = "applied."
)

// State is what the installation has recorded.
type State map[string]string

// mesh returns the mesh of the cluster with the names of its steps; nil is Linkerd.
func (s State) mesh() *bundle.Mesh {
	if name := s[KeyMesh]; name == "" || name == names.Linkerd {
		return nil
	}
	m := &bundle.Mesh{Name: s[KeyMesh]}
	for _, step := range strings.Fields(s[keyMeshSteps]) {
		m.Steps = append(m.Steps, bundle.MeshStep{Name: step, Title: step})
	}
	return m
}

// meshSteps returns the names of the steps of a bundle's mesh, "" for Linkerd.
func (g *Installer) meshSteps() string {
	if g.mesh == nil {
		return ""
	}
	var all []string
	for _, s := range g.mesh.Steps {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// ReadState returns the recorded state. It is empty if there is none.
func ReadState(ctx context.Context, kube kubernetes.Interface) (State, error) {
	m, err := kube.CoreV1().ConfigMaps(names.LabNamespace).Get(ctx, names.StateConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return State{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the recorded state: %w", err)
	}
	return m.Data, nil
}

// Step returns the digest recorded for a step, or "" if it is not done.
func (s State) Step(name string) string { return s[keyStep+name] }

// Applied returns the digest recorded for a step whose objects are applied, or "" if they are not.
func (s State) Applied(name string) string { return s[keyApplied+name] }

// Up reports whether all steps are done.
func (s State) Up() bool { return s[KeyImage] != "" && s.Step(stepReady) != "" }

// record changes keys of the state; "" removes a key. An interrupted installation may still be
// writing, so it retries on conflict.
func record(ctx context.Context, kube kubernetes.Interface, change State) error {
	maps := kube.CoreV1().ConfigMaps(names.LabNamespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		m, err := maps.Get(ctx, names.StateConfigMap, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			m = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
				Name: names.StateConfigMap, Namespace: names.LabNamespace,
				Labels: map[string]string{names.LabelManagedBy: names.FieldManager},
			}}
			m.Data = merge(nil, change)
			_, err = maps.Create(ctx, m, metav1.CreateOptions{FieldManager: names.FieldManager})
			return err
		}
		if err != nil {
			return err
		}
		m.Data = merge(m.Data, change)
		_, err = maps.Update(ctx, m, metav1.UpdateOptions{FieldManager: names.FieldManager})
		return err
	})
	if err != nil {
		return fmt.Errorf("record the state: %w", err)
	}
	return nil
}

func merge(data map[string]string, change State) map[string]string {
	data = maps.Clone(data)
	if data == nil {
		data = map[string]string{}
	}
	for k, v := range change {
		if v == "" {
			delete(data, k)
		} else {
			data[k] = v
		}
	}
	return data
}
