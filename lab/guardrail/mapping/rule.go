package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FileName is the file of a workspace that holds its mapping.
const FileName = "coalmine.yaml"

// Names of the file's format.
const (
	FileVersion = "coalmine.dev/v1alpha1"
	FileKind    = "Workspace"
)

// Workspace is the content of a workspace's coalmine.yaml.
type Workspace struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	// Map has names of Deployments, Services, Canaries or ServiceAccounts, and the service or client of
	// the scenario that each stands for. It has at most 100.
	Map map[From]To `yaml:"map,omitempty"`
}

// From is a name in manifests: NAME or NAMESPACE/NAME.
type From string

// Pattern is the regular expression of the names.
func (From) Pattern() string {
	return `^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
}

// To is a name in the scenario.
type To string

// Pattern is the regular expression of the names.
func (To) Pattern() string { return `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$` }

// maxRules is the number of names that a workspace may map.
const maxRules = 100

// Rule maps one workload of the manifests to a service or client of the scenario.
type Rule struct {
	// Namespace is "" for any.
	Namespace string
	// Name is that of a Deployment, Service or Canary.
	Name string
	// To is the scenario's name.
	To string
	// Line is where the rule is written, 0 if not in a file.
	Line int
}

// String formats the rule as [ParseRule] reads it.
func (r Rule) String() string { return r.from() + "=" + r.To }

func (r Rule) from() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// ParseRule parses NAME=SERVICE or NAMESPACE/NAME=SERVICE.
func ParseRule(text string) (Rule, error) {
	from, to, ok := strings.Cut(text, "=")
	if !ok {
		return Rule{}, fmt.Errorf("%q is no mapping: write NAME=SERVICE, such as podinfo=backend", text)
	}
	return newRule(from, to)
}

func newRule(from, to string) (Rule, error) {
	r := Rule{Name: from, To: to}
	if namespace, name, ok := strings.Cut(from, "/"); ok {
		r.Namespace, r.Name = namespace, name
	}
	if strings.Contains(from, "/") && len(validation.IsDNS1123Label(r.Namespace)) > 0 {
		return Rule{}, fmt.Errorf("%q is no namespace", r.Namespace)
	}
	if len(validation.IsDNS1123Subdomain(r.Name)) > 0 {
		return Rule{}, fmt.Errorf("%q is not the name of a Deployment or Service", r.Name)
	}
	if len(validation.IsDNS1123Label(to)) > 0 {
		return Rule{}, fmt.Errorf("%q is not the name of a service", to)
	}
	return r, nil
}

// FileError is an error on a line of the file.
type FileError struct {
	Line                 int
	Field, Message, Hint string
}

// Error returns the message.
func (e *FileError) Error() string { return e.Message }

// ParseFile parses the text of a [FileName].
func ParseFile(data []byte) ([]Rule, error) {
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&root); err != nil || len(root.Content) == 0 {
		return nil, &FileError{Message: "is not YAML", Hint: fileHint}
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, &FileError{Line: top.Line, Message: "must be a mapping", Hint: fileHint}
	}
	if scalar(top, "apiVersion") != FileVersion || scalar(top, "kind") != FileKind {
		return nil, &FileError{Line: top.Line, Field: "apiVersion", Hint: fileHint,
			Message: "must be " + FileVersion + ", with kind " + FileKind}
	}
	var rules []Rule
	for i := 0; i+1 < len(top.Content); i += 2 {
		switch key := top.Content[i]; key.Value {
		case "apiVersion", "kind":
		case "map":
			var err error
			if rules, err = parseRules(top.Content[i+1]); err != nil {
				return nil, err
			}
		default:
			return nil, &FileError{Line: key.Line, Field: key.Value, Message: "unknown field",
				Hint: "the fields are apiVersion, kind and map"}
		}
	}
	return rules, nil
}

const fileHint = "write apiVersion: " + FileVersion + ", kind: " + FileKind + ", and under map: NAME: SERVICE"

func parseRules(n *yaml.Node) ([]Rule, error) {
	if n.Kind != yaml.MappingNode {
		return nil, &FileError{Line: n.Line, Field: "map", Message: "must be a mapping",
			Hint: "write NAME: SERVICE below it"}
	}
	if len(n.Content)/2 > maxRules {
		return nil, &FileError{Line: n.Line, Field: "map", Message: fmt.Sprintf("has more than %d names", maxRules),
			Hint: "remove some"}
	}
	var rules []Rule
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		r, err := newRule(key.Value, value.Value)
		if key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode {
			err = errors.New("a name and a service must be strings")
		}
		if err == nil && slices.ContainsFunc(rules, func(o Rule) bool { return o.from() == r.from() }) {
			err = fmt.Errorf("%s is mapped twice", r.from())
		}
		if err != nil {
			return nil, &FileError{Line: key.Line, Field: "map", Message: err.Error(), Hint: "write NAME: SERVICE"}
		}
		r.Line = key.Line
		rules = append(rules, r)
	}
	return rules, nil
}

// FormatFile returns the text of a file with the rules.
func FormatFile(rules []Rule) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmap:\n", FileVersion, FileKind)
	for _, r := range rules {
		fmt.Fprintf(&b, "  %s: %s\n", r.from(), r.To)
	}
	return b.Bytes()
}

// Merge returns the rules with those of over in their place or added.
func Merge(rules, over []Rule) []Rule {
	merged := slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool {
		return slices.ContainsFunc(over, func(o Rule) bool { return o.from() == r.from() })
	})
	return append(merged, over...)
}
