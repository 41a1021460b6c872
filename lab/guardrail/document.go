package guardrail

import (
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/input/yamlpos"
)

// document is one YAML document and the object decoded from it.
type document struct {
	file string
	root *yaml.Node
	// origin is set if the document was built from another.
	origin *Origin
	kind   kind
	// object and meta are set when the document is decoded. meta is object.Value.
	object Object
	meta   metav1.Object
	// dropped are the fields that were dropped since only the server sets them.
	dropped []string
	// names puts the user's names in the place of the lab's in messages; it may be nil.
	names *mapping.Names
	// leftOut are the parts that are not played as they are written, as far as that follows from the
	// mapping.
	leftOut []mapping.Part
	// wrong are the fields with errors.
	wrong []string
}

// position returns the line of a field, or that of the nearest field around it that the document
// has. For a document that was built from another, it is the line there.
func (d *document) position(path string) Position {
	if d.origin == nil {
		key := yamlpos.Root(d.root).Nearest(yamlpos.Split(path)...).Key
		return Position{File: d.file, Line: key.Line, Column: key.Column}
	}
	p := Position{File: d.origin.File}
	if d.origin.Document != nil {
		key := yamlpos.Root(d.origin.Document).Nearest(yamlpos.Split(path)...).Key
		p.Line, p.Column = key.Line, key.Column
	}
	return p
}

// finding returns a finding about a field of the document.
func (d *document) finding(field, message, hint string) Finding {
	return Finding{Position: d.position(field), Field: field, Message: d.names.Show(message), Hint: d.names.Show(hint)}
}

// child returns the value of a top-level field.
func (d *document) child(name string) (*yaml.Node, bool) {
	f, ok := yamlpos.Root(d.root).Child(name)
	return f.Value, ok
}

// has reports whether the document sets the field, even to a zero value.
func (d *document) has(path string) bool {
	_, ok := yamlpos.Root(d.root).Find(yamlpos.Split(path)...)
	return ok
}

// joinPath is yamlpos.Join for a key of hostile input.
func joinPath(parent, key string) string { return yamlpos.Join(parent, Clip(key)) }
