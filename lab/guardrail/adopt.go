package guardrail

import (
	"bytes"
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
	// Added says why there are files that the manifests do not have.
	Added map[string]string
}

// AdoptionEdit is one change and the reason for it.
type AdoptionEdit struct {
	Position
	// Field is the path, Old and New its values; "" for a field that is added or removed.
	Field, Old, New, Reason string
}

// Files that an adapted copy has in addition.
const (
	templatesFile = "linkerd-metrics.yaml"
	policiesFile  = "linkerd-policies.yaml"
)

// Adopt adapts manifests to the environment: it maps their names and translates what is for another
// mesh or ingress. Its error is of type Errors.
func Adopt(files map[string][]byte, env Environment) (*Adoption, error) {
	c := &checker{env: env, refused: map[objectKey]bool{}}
	files = c.withMapping(files)
	c.collect(files)
	own := len(c.found)
	c.expandServerAuthorizations()
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
	a := &Adoption{Files: map[string][]byte{}, Notes: c.notes, Added: map[string]string{}}
	changes := map[string][]yamledit.Change{}
	for i, d := range c.found[:own] {
		changes[d.file] = append(changes[d.file], yamledit.Change{Old: before[i], New: d.root})
	}
	for _, e := range result.Edits {
		if slices.ContainsFunc(c.found[own:], func(d *document) bool { return d.root == e.Document.Root }) {
			continue // of what replaces a ServerAuthorization
		}
		a.Edits = append(a.Edits, AdoptionEdit{Position{File: e.Document.File, Line: e.Line}, e.Path, e.Old, e.New,
			e.Reason})
	}
	if text := lab.TemplateFile(result.Templates); text != "" {
		a.Files[templatesFile] = []byte(text)
		a.Added[templatesFile] = "templates for built-in metrics, which have no values with Linkerd"
	}
	if err := a.write(files, changes); err != nil {
		return nil, err
	}
	return a, a.replaceAuthorizations(c.serverAuthorizations, c.found[own:])
}

// replaceAuthorizations replaces ServerAuthorizations by the policies that say the same.
func (a *Adoption) replaceAuthorizations(old, policies []*document) error {
	if len(old) == 0 {
		return nil
	}
	left := map[string]int{}
	for _, d := range old {
		a.Edits = append(a.Edits, AdoptionEdit{d.position(""), "kind", kindServerAuthorization,
			"AuthorizationPolicy in " + policiesFile, "it says the same, with the names of the scenario"})
		text, removed := yamledit.Remove(a.Files[d.file], func(root *yaml.Node) bool {
			other := &document{root: root}
			return other.identity("kind") == kindServerAuthorization &&
				group(other.identity("apiVersion")) == LinkerdGroup
		})
		if left[d.file] += removed - 1; left[d.file] < 0 {
			return asError([]Finding{
				d.finding("", "cannot be replaced where it is", "write it as a document of its own"),
			})
		}
		a.Files[d.file] = text
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	for _, d := range policies {
		if err := enc.Encode(d.root); err != nil {
			return err
		}
	}
	a.Files[policiesFile] = text.Bytes()
	a.Added[policiesFile] = "what the ServerAuthorizations say, as AuthorizationPolicies"
	return nil
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
