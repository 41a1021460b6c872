// Package crd validates objects as the API server does by the CustomResourceDefinitions of Flagger,
// the Gateway API and Linkerd, with the API server's own code: unknown fields, the structural schema,
// sets and maps in lists, and the rules in CEL.
//
// The schemas of Flagger and the Gateway API are derived from the definitions in their Go modules
// by crdgen. Linkerd's definitions are templates of a chart, which no Go module has; what they demand
// is written down in schemas too.
package crd

//go:generate go run ./crdgen schemas

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"

	"coalmine/lab/input/yamlpos"
)

//go:embed schemas
var files embed.FS

// A Problem is one reason for which the API server refuses an object.
type Problem struct {
	// Field is the path of the field, for example spec.rules[0].matches.
	Field string
	// Reason is what the API server says.
	Reason string
	// Type is the kind of the error.
	Type field.ErrorType
	// Unknown is set if the schema has no such field.
	Unknown bool
	// Alternatives are the fields of which the field has to have exactly one.
	Alternatives []string
}

// Check returns why the API server would refuse an object, given as decoded JSON, which it does not
// change. It admits all kinds that it has no schema of.
func Check(ctx context.Context, object map[string]any) []Problem {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	group, version, _ := strings.Cut(apiVersion, "/")
	v := validators()(kind+"."+group, version)
	if v == nil {
		return nil
	}
	return v.check(ctx, object)
}

// validator validates one version of a kind.
type validator struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	// rules is nil if the schema has no rules in CEL, which are compiled when they are needed.
	rules func() *cel.Validator
}

// validators caches the compiled schemas, which take tens of milliseconds. The function it returns
// may be called concurrently.
var validators = sync.OnceValue(func() func(kind, version string) *validator {
	var mu sync.Mutex
	kinds := map[string]map[string]*validator{}
	return func(kind, version string) *validator {
		mu.Lock()
		defer mu.Unlock()
		versions, ok := kinds[kind]
		if !ok {
			var err error
			if versions, err = load(kind); err != nil {
				panic("schemas of " + kind + ": " + err.Error()) // tests load all
			}
			kinds[kind] = versions
		}
		return versions[version]
	}
})

// load reads the schemas of a kind, by version. There are none for most kinds.
func load(kind string) (map[string]*validator, error) {
	data, err := files.ReadFile("schemas/" + kind + ".json")
	if err != nil {
		data, err = files.ReadFile("schemas/" + kind + ".yaml")
	}
	if err != nil {
		return nil, nil
	}
	var d struct {
		Source   string
		Versions []struct {
			Version, SameAs string
			Schema          *apiextensionsv1.JSONSchemaProps
		}
	}
	if err := sigsyaml.UnmarshalStrict(data, &d); err != nil {
		return nil, err
	}
	versions := map[string]*validator{}
	for _, v := range d.Versions {
		if v.SameAs != "" {
			versions[v.Version] = versions[v.SameAs]
			continue
		}
		if versions[v.Version], err = newValidator(v.Schema); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Version, err)
		}
	}
	return versions, nil
}

func newValidator(props *apiextensionsv1.JSONSchemaProps) (*validator, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal,
		nil); err != nil {
		return nil, err
	}
	s, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, err
	}
	schema, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, err
	}
	return &validator{structural: s, schema: schema, rules: sync.OnceValue(func() *cel.Validator {
		return cel.NewValidator(s, true, celconfig.PerCallLimit)
	})}, nil
}

func (v *validator) check(ctx context.Context, object map[string]any) []Problem {
	object = runtime.DeepCopyJSON(object)
	unknown := pruning.PruneWithOptions(object, v.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var problems []Problem
	for _, path := range unknown {
		problems = append(problems, Problem{Field: path, Reason: "unknown field", Unknown: true})
	}
	defaulting.Default(object, v.structural)
	errs := validation.ValidateCustomResource(nil, object, v.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, v.structural, object)...)
	if len(errs) == 0 {
		if rules := v.rules(); rules != nil {
			errs, _ = rules.Validate(ctx, nil, v.structural, object, nil, celconfig.RuntimeCELCostBudget)
		}
	}
	for _, e := range errs {
		p := Problem{Field: fieldOf(e), Reason: e.ErrorBody(), Type: e.Type}
		path := p.Field
		if p.Type == field.ErrorTypeRequired {
			path = path[:max(0, strings.LastIndexByte(path, '.'))]
		}
		names := alternatives(v.at(path))
		if p.Type == field.ErrorTypeInvalid || slices.Contains(names, base(p.Field)) {
			p.Alternatives = names
		}
		problems = append(problems, p)
	}
	return problems
}

// base returns the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// at returns the schema of a field, or nil.
func (v *validator) at(path string) *structuralschema.Structural {
	s := v.structural
	for _, step := range yamlpos.Split(path) {
		switch next, ok := s.Properties[step]; {
		case ok:
			s = &next
		case s.Items != nil:
			s = s.Items
		case s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil:
			s = s.AdditionalProperties.Structural
		default:
			return nil
		}
	}
	return s
}

// alternatives returns the fields that tell the branches of a oneOf apart.
func alternatives(s *structuralschema.Structural) []string {
	if s == nil || s.ValueValidation == nil {
		return nil
	}
	counts := map[string]int{}
	branches := s.ValueValidation.OneOf
	for _, b := range branches {
		for _, name := range b.Required {
			counts[name]++
		}
	}
	var names []string
	for _, b := range branches {
		for _, name := range b.Required {
			if counts[name] < len(branches) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// fieldOf returns the field of an error. That of a oneOf is only in the text, in quotes.
func fieldOf(e *field.Error) string {
	if !strings.HasPrefix(e.Field, "<nil>") {
		return e.Field
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(e.Detail, `"`), `"`)
	if strings.Contains(name, " ") {
		return ""
	}
	return name
}
