package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"coalmine/lab/cluster/testmesh"
	"coalmine/manifests"
)

// TestManifestRunsACommand finds the command of the control plane's pod, whose arguments no
// compiler checks.
func TestManifestRunsACommand(t *testing.T) {
	m, err := testmesh.Mesh("coalmine.dev/testmesh:x")
	if err != nil {
		t.Fatal(err)
	}
	text, err := manifests.Render("testmesh/control.yaml", manifests.Params{MeshImage: m.Image, Extra: m.Manifests})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var o struct {
			Spec struct {
				Template corev1.PodTemplateSpec
			}
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		for _, c := range o.Spec.Template.Spec.Containers {
			found = true
			if cmd, _, err := newRootCommand().Find(c.Args); err != nil || cmd.Name() != c.Args[0] {
				t.Errorf("container %s runs %q: %v", c.Name, c.Args, err)
			}
		}
	}
	if !found {
		t.Error("there is no container")
	}
}
