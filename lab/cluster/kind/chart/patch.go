package chart

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Patch changes one object if the chart has no value for it.
type Patch struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Patch is a JSON patch (RFC 6902).
	Patch json.RawMessage `json:"patch"`
}

// Patches reads a list of patches from YAML.
func Patches(text []byte) ([]Patch, error) {
	var all []Patch
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		return nil, fmt.Errorf("patches: %w", err)
	}
	return all, nil
}

// patch changes objects in place.
func patch(objects []*unstructured.Unstructured, patches []Patch) error {
	var errs []error
	for _, p := range patches {
		if err := p.apply(objects); err != nil {
			errs = append(errs, fmt.Errorf("patch %s %s: %w", p.Kind, p.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (p Patch) apply(objects []*unstructured.Unstructured) error {
	operations, err := jsonpatch.DecodePatch(p.Patch)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.GetKind() != p.Kind || o.GetName() != p.Name {
			continue
		}
		before, err := o.MarshalJSON()
		if err != nil {
			return err
		}
		after, err := operations.Apply(before)
		if err != nil {
			return err
		}
		return o.UnmarshalJSON(after)
	}
	return errors.New("the chart has no such object")
}
