package v1alpha1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Positions maps the fields of a document to their lines.
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

// Finding is one problem with a document. Line is 0 if unknown.
type Finding struct {
	Line    int
	Message string
}

// Findings is the error of a document that cannot be decoded.
type Findings []Finding

// Error returns the findings, one per line.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return strings.Join(lines, "\n")
}

// Decode decodes a scenario strictly: an unknown field, a second document or a value of the wrong
// type is an error of type [Findings].
func Decode(data []byte) (*Document, error) {
	var d Document
	positions, err := decode(data, &d.Scenario, documentKind{
		kind: Kind, schema: "scenarios/schema.json",
		emptyHint: "write a scenario, or copy one from the library",
		otherKinds: map[string]string{
			KindWorkload: "it has no services and no release; run it with coalmine load, " +
				"or put its spec under spec.traffic of a scenario",
		},
	})
	if err != nil {
		return nil, err
	}
	d.Positions = positions
	return &d, nil
}

// DecodeWorkload decodes a workload as strictly as [Decode] does a scenario.
func DecodeWorkload(data []byte) (*WorkloadDocument, error) {
	var d WorkloadDocument
	positions, err := decode(data, &d.Workload, documentKind{
		kind: KindWorkload, schema: "scenarios/workload.schema.json",
		emptyHint: "write a workload, or copy one that comes with coalmine",
		otherKinds: map[string]string{
			Kind: "name its folder to run its traffic, or write kind: Workload " +
				"and move the fields of spec.traffic to spec",
		},
	})
	if err != nil {
		return nil, err
	}
	d.Positions = positions
	return &d, nil
}

// documentKind describes a kind of document for decoding and error messages.
type documentKind struct {
	// kind is the expected kind, schema the path of its published schema.
	kind, schema string
	// emptyHint says what to do about an empty file.
	emptyHint string
	// otherKinds says what to do about documents of other kinds.
	otherKinds map[string]string
}

// decode checks the kind first: in a document of another kind, every field would be unknown.
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
		return p, Findings{{more.Line, "a second document starts here: a file holds one " + strings.ToLower(f.kind)}}
	}
	return p, nil
}

// checkHead checks apiVersion and kind.
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
	return Findings{{
		p.Line("apiVersion"),
		fmt.Sprintf("the document has apiVersion %q and kind %q: %s", head.APIVersion, head.Kind, hint),
	}}
}

// findings splits the decoder's errors, whose lines and fields are only in their text.
func (f documentKind) findings(err error) error {
	texts := []string{err.Error()}
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		texts = wrong.Errors
	}
	unknown := regexp.MustCompile(`^field (\S+) not found in type (?:\w+\.)?(\w+)$`)
	var all Findings
	for _, text := range texts {
		line, message := yamlpos.SplitError(strings.ReplaceAll(text, "\n", " "))
		message = unknown.ReplaceAllString(message, "$2 has no field $1: see "+f.schema+" for its fields")
		all = append(all, Finding{line, message})
	}
	return all
}

// Line returns the line of the field at a path of keys (string) and indices (int), or of the
// longest part of the path that exists.
func (p Positions) Line(path ...any) int {
	steps := make([]string, len(path))
	for i, step := range path {
		steps[i] = fmt.Sprint(step)
	}
	return yamlpos.Root(p.root).Nearest(steps...).Line()
}
