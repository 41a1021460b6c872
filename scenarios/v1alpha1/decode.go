package v1alpha1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is a decoded scenario that still knows on which line each field stood.
type Document struct {
	Scenario
	root *yaml.Node
}

// Finding is one thing that is wrong with a document. Line is 0 where it is not known.
type Finding struct {
	Line    int
	Message string
}

// Findings is the error of a document that cannot be decoded.
type Findings []Finding

// Error lists the findings, one on a line.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return strings.Join(lines, "\n")
}

// Decode reads one document strictly: an unknown field, a second document or a value of the wrong type is an error. Its
// error is of type [Findings].
func Decode(data []byte) (*Document, error) {
	var d Document
	if err := decodeStrictly(data, &d.Scenario); err != nil {
		return nil, err
	}
	d.root = new(yaml.Node)
	if err := yaml.Unmarshal(data, d.root); err != nil {
		return nil, findings(err)
	}
	if d.APIVersion != APIVersion || d.Kind != Kind {
		return nil, Findings{{d.Line("apiVersion"), fmt.Sprintf("the document is %q of kind %q: write apiVersion: %s and kind: %s",
			d.APIVersion, d.Kind, APIVersion, Kind)}}
	}
	return &d, nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) {
		return Findings{{1, "the file is empty: write a scenario, or copy one of the library's"}}
	}
	if err != nil {
		return findings(err)
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return Findings{{more.Line, "a second document begins here: a file holds one scenario"}}
	}
	return nil
}

// findings takes the decoder's errors apart. The library tells line and field by text alone.
func findings(err error) error {
	texts := []string{err.Error()}
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		texts = wrong.Errors
	}
	place := regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	unknown := regexp.MustCompile(`^field (\S+) not found in type (?:\w+\.)?(\w+)$`)
	var all Findings
	for _, text := range texts {
		m := place.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
		line, _ := strconv.Atoi(m[1]) // "" is line 0: not known
		all = append(all, Finding{line, unknown.ReplaceAllString(m[2], "$2 has no field $1: see scenarios/schema.json for those it has")})
	}
	return all
}

// Line returns the line of the field at a path of keys and indices, or of the nearest part of the path that is there.
func (d *Document) Line(path ...any) int {
	n := d.root
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	line := n.Line
	for _, p := range path {
		key, value := child(n, p)
		if value == nil {
			break
		}
		n, line = value, key.Line
	}
	return line
}

// child returns the node at a key or index, and the node whose line stands for it.
func child(n *yaml.Node, at any) (key, value *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch at := at.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && at < len(n.Content) {
			return n.Content[at], n.Content[at]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == at {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}
