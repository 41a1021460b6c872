package guardrail

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/guardrail/yamledit"
)

// Adoption is a copy of manifests that is adapted to a scenario.
type Adoption struct {
	// Files are the adapted manifests, by path. Those without a change are among them.
	Files map[string][]byte
	// Edits are the changes, ordered by file and line. Each has the reason.
	Edits []AdoptionEdit
	// Notes say what is not taken over.
	Notes []Finding
}

// AdoptionEdit is one change and the reason for it.
type AdoptionEdit struct {
	Position
	// Field is the path, Old and New its values; "" for a field that is added or removed.
	Field, Old, New, Reason string
}

// templatesFile has the templates that an adapted copy needs in addition.
const templatesFile = "linkerd-metrics.yaml"

// Adopt adapts manifests to the environment: it maps their names and translates what is for another
// mesh or ingress. Its error is of type Errors.
func Adopt(files map[string][]byte, env Environment) (*Adoption, error) {
	c := &checker{env: env, refused: map[objectKey]bool{}}
	files = c.withMapping(files)
	c.collect(files)
	if err := asError(c.findings); err != nil {
		return nil, err
	}
	before := make([]*yaml.Node, len(c.found))
	for i, d := range c.found {
		before[i] = yamledit.Clone(d.root)
	}
	lab := env.lab()
	lab.Translate, lab.Prometheus = true, LabPrometheus
	result, _ := c.applyMapping(lab)
	if err := asError(c.findings); err != nil {
		return nil, err
	}
	a := &Adoption{Files: map[string][]byte{}, Notes: c.notes}
	changes := map[string][]yamledit.Change{}
	for i, d := range c.found {
		changes[d.file] = append(changes[d.file], yamledit.Change{Old: before[i], New: d.root})
	}
	for _, e := range result.Edits {
		a.Edits = append(a.Edits, AdoptionEdit{Position{File: e.Document.File, Line: e.Line}, e.Path, e.Old, e.New,
			e.Reason})
	}
	if text := lab.TemplateFile(result.Templates); text != "" {
		a.Files[templatesFile] = []byte(text)
	}
	return a, a.write(files, changes)
}

// write adds the files with their changes. The rules of the mapping are not among them, since the
// copy has the names that they lead to.
func (a *Adoption) write(files map[string][]byte, changes map[string][]yamledit.Change) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == mapping.FileName {
			continue
		}
		a.Files[name] = files[name]
		if len(changes[name]) == 0 {
			continue
		}
		text, err := yamledit.Apply(files[name], changes[name])
		if err != nil {
			return fmt.Errorf("adapting %s: %w", name, err)
		}
		a.Files[name] = text
	}
	return nil
}
