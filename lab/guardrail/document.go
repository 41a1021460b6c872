package guardrail

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// document is one YAML document and the object that it became.
type document struct {
	file string
	root *yaml.Node
	kind kind
	// object is set once the document is decoded; its Value also is meta.
	object Object
	meta   metav1.Object
}

// position is where a field stands: the line of its key, or that of the nearest field around it which is written down.
// A path is written as in errors: spec.analysis.metrics[1].name, metadata.annotations[coalmine.dev/owner].
func (d *document) position(path string) Position {
	node, line := d.root, d.root.Line
	for _, step := range splitPath(path) {
		key, value := child(node, step)
		if value == nil {
			break
		}
		node, line = value, key.Line
	}
	return Position{File: d.file, Line: line}
}

// has tells whether the document writes the field down, be it with a zero value.
func (d *document) has(path string) bool {
	node := d.root
	for _, step := range splitPath(path) {
		if _, node = child(node, step); node == nil {
			return false
		}
	}
	return true
}

// child finds a field of a mapping or an item of a list, with the node that marks where it begins.
func child(n *yaml.Node, step string) (begin, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// splitPath takes a[0].b[c.d/e] apart into a, 0, b, c.d/e.
func splitPath(path string) []string {
	var steps []string
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		if strings.HasPrefix(path, "[") {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return append(steps, path[1:])
			}
			steps, path = append(steps, path[1:end]), path[end+1:]
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(steps, path)
		}
		steps, path = append(steps, path[:end]), path[end:]
	}
	return steps
}

func joinPath(parent, key string) string {
	if strings.ContainsAny(key, ".[/") {
		return parent + "[" + clip(key) + "]"
	}
	if parent == "" {
		return clip(key)
	}
	return parent + "." + clip(key)
}

func indexPath(parent string, i int) string { return parent + "[" + strconv.Itoa(i) + "]" }
