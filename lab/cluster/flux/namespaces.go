package flux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"coalmine/manifests"
)

// namespaces writes namespaces as the lab creates them: the mesh needs their labels.
func (t *tree) namespaces(file string, wanted ...string) {
	text, err := manifests.Render(meshNamespaces, params())
	if err != nil {
		t.errs = append(t.errs, err)
		return
	}
	found := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o map[string]any
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.errs = append(t.errs, fmt.Errorf("%s: %w", meshNamespaces, err))
			return
		}
		metadata, _ := o["metadata"].(map[string]any)
		if name, _ := metadata["name"].(string); slices.Contains(wanted, name) {
			found++
			t.put(file, o)
		}
	}
	if found != len(wanted) {
		t.errs = append(t.errs, fmt.Errorf("%s has %d of the namespaces %v", meshNamespaces, found, wanted))
	}
}
