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

// Keys of the state in ConfigMap [place.StateConfigMap]. Mesh is there from the first step on, image only while the lab is up: who
// plays there asks for it.
const (
	KeyMesh   = "mesh"
	KeyImage  = "image"
	KeyBundle = "bundle"
	// keyMeshSteps names the steps of a mesh that came from a bundle, with spaces between them.
	keyMeshSteps = "mesh-steps"
	// keyStep begins the key of each step that was taken; its value is the digest of what was made.
	keyStep = "step."
)

// State is what a bring-up has recorded.
type State map[string]string

// mesh is the mesh that the cluster came up with, as far as its steps can be named; nil for Linkerd.
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

// meshSteps names the steps of a mesh that a bundle brings, "" for Linkerd.
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

// ReadState asks the cluster. A cluster without one has an empty state.
func ReadState(ctx context.Context, kube kubernetes.Interface) (State, error) {
	m, err := kube.CoreV1().ConfigMaps(names.LabNamespace).Get(ctx, names.StateConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return State{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the bring-up: %w", err)
	}
	return m.Data, nil
}

// Step is the digest that was recorded for a step, "" if it was not taken.
func (s State) Step(name string) string { return s[keyStep+name] }

// Up tells whether all steps were taken.
func (s State) Up() bool { return s[KeyImage] != "" && s.Step(stepReady) != "" }

// record changes keys of the state; a value of "" removes one. Nobody else writes it, but a bring-up that was cut off may still be
// doing so.
func record(ctx context.Context, kube kubernetes.Interface, change State) error {
	maps := kube.CoreV1().ConfigMaps(names.LabNamespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		m, err := maps.Get(ctx, names.StateConfigMap, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			m = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
				Name: names.StateConfigMap, Namespace: names.LabNamespace, Labels: map[string]string{names.LabelManagedBy: names.FieldManager},
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
		return fmt.Errorf("record the state of the bring-up: %w", err)
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
