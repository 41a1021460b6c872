package bundle

import (
	"fmt"
	"maps"
	"slices"

	"coalmine/lab/cluster/names"
)

// Mesh is a mesh that a bundle provides instead of Linkerd. A cluster that comes up from the bundle
// gets this mesh; from any other source it gets Linkerd.
type Mesh struct {
	Name string `json:"name"`
	// Image is what the mesh's own pods run, one of the bundle's images.
	Image string `json:"image"`
	// Steps install the mesh, in this order.
	Steps []MeshStep `json:"steps"`
	// Manifests are templates by name, rendered like those of package manifests, which they may
	// include.
	Manifests map[string]string `json:"manifests"`
}

// MeshStep applies manifests and waits until their workloads are ready.
type MeshStep struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Manifests []string `json:"manifests"`
}

// meshName returns the name of a mesh, which is Linkerd if m is nil.
func meshName(m *Mesh) string {
	if m == nil {
		return names.Linkerd
	}
	return m.Name
}

func (m *Mesh) check(images []ImageFile) error {
	if !isPlain(m.Name) || m.Name == names.Linkerd {
		return fmt.Errorf("mesh: %q cannot be the name of a bundle's own mesh", m.Name)
	}
	has := func(i ImageFile) bool { return slices.Contains(i.Refs, m.Image) }
	if !slices.ContainsFunc(images, has) {
		return fmt.Errorf("mesh %s: the bundle has no image %q", m.Name, m.Image)
	}
	seen := map[string]bool{}
	for _, s := range m.Steps {
		if !isPlain(s.Name) || seen[s.Name] {
			return fmt.Errorf("mesh %s: step %q is not a plain name, or there are two", m.Name, s.Name)
		}
		seen[s.Name] = true
		for _, name := range s.Manifests {
			if _, ok := m.Manifests[name]; !ok {
				return fmt.Errorf("mesh %s: step %s: there is no manifest %q among %q",
					m.Name, s.Name, name, slices.Sorted(maps.Keys(m.Manifests)))
			}
		}
	}
	return nil
}
