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

// Positions knows on which line each field of a document stands.
type Positions struct{ root *yaml.Node }

// Document is a decoded scenario.
type Document struct {
	Scenario
	Positions
}

// WorkloadDocument is a decoded workload.
type WorkloadDocument struct {
	Workload
	Positions
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

// Decode reads a scenario strictly: an unknown field, a second document or a value of the wrong type is an error. Its error is
// of type [Findings].
func Decode(data []byte) (*Document, error) {
	var d Document
	places, err := decode(data, &d.Scenario, documentKind{
		kind: Kind, schema: "scenarios/schema.json", emptyHint: "write a scenario, or copy one of the library's",
		otherKinds: map[string]string{KindWorkload: "it has no services and no release; play it with coalmine load, or put its spec under spec.traffic of a scenario"},
	})
	if err != nil {
		return nil, err
	}
	d.Positions = places
	return &d, nil
}

// DecodeWorkload reads a workload as strictly as [Decode] reads a scenario.
func DecodeWorkload(data []byte) (*WorkloadDocument, error) {
	var d WorkloadDocument
	places, err := decode(data, &d.Workload, documentKind{
		kind: KindWorkload, schema: "scenarios/workload.schema.json", emptyHint: "write a workload, or copy one of those that come with coalmine",
		otherKinds: map[string]string{Kind: "name its folder to play its traffic, or write kind: Workload and put what stands under spec.traffic right under spec"},
	})
	if err != nil {
		return nil, err
	}
	d.Positions = places
	return &d, nil
}

// documentKind is what the errors of a kind of document say.
type documentKind struct {
	// kind is the one that is wanted, schema its published schema.
	kind, schema string
	// emptyHint says what to do about an empty file, others what to do about other kinds.
	emptyHint  string
	otherKinds map[string]string
}

// decode looks at the kind first: of a document of another kind, every field would be unknown.
func decode(data []byte, into any, f documentKind) (Positions, error) {
	p := Positions{root: new(yaml.Node)}
	if err := yaml.Unmarshal(data, p.root); err != nil {
		return p, f.findings(err)
	}
	if p.root.IsZero() {
		return p, Findings{{1, "the file is empty: " + f.emptyHint}}
	}
	if err := f.checkHead(p); err != nil {
		return p, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return p, f.findings(err)
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return p, Findings{{more.Line, "a second document begins here: a file holds one " + strings.ToLower(f.kind)}}
	}
	return p, nil
}

// checkHead wants the version and the kind.
func (f documentKind) checkHead(p Positions) error {
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
	}
	if err := p.root.Decode(&head); err != nil {
		return f.findings(err)
	}
	if head.APIVersion == APIVersion && head.Kind == f.kind {
		return nil
	}
	hint, known := f.otherKinds[head.Kind]
	if !known || head.APIVersion != APIVersion {
		hint = fmt.Sprintf("write apiVersion: %s and kind: %s", APIVersion, f.kind)
	}
	return Findings{{p.Line("apiVersion"), fmt.Sprintf("the document is %q of kind %q: %s", head.APIVersion, head.Kind, hint)}}
}

// findings takes the decoder's errors apart. The library tells line and field by text alone.
func (f documentKind) findings(err error) error {
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
		all = append(all, Finding{line, unknown.ReplaceAllString(m[2], "$2 has no field $1: see "+f.schema+" for those it has")})
	}
	return all
}

// Line returns the line of the field at a path of keys and indices, or of the nearest part of the path that is there.
func (p Positions) Line(path ...any) int {
	n := p.root
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	line := n.Line
	for _, at := range path {
		key, value := child(n, at)
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
