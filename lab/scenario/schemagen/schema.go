package main

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/v1alpha1"
	"coalmine/lab/teaching/quiz"
)

// schema is the part of JSON Schema (draft 2020-12) that the wire types need. The order of its
// fields is that of the output.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Title       string             `json:"title,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type,omitempty"`
	Const       string             `json:"const,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	// PropertyNames is the schema of a map's keys.
	PropertyNames *schema  `json:"propertyNames,omitempty"`
	Required      []string `json:"required,omitempty"`
	// Additional is false for structs, and the schema of the values for maps.
	Additional any                `json:"additionalProperties,omitempty"`
	Items      *schema            `json:"items,omitempty"`
	Defs       map[string]*schema `json:"$defs,omitempty"`
}

// durationPattern matches what time.ParseDuration accepts, without a sign.
const durationPattern = `^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$`

// document describes the schema of one kind of file.
type document struct {
	// file is the schema's file in the module, id the last element of its $id, title that of the schema.
	file, id, title string
	// kind is what the file has as its kind, "" for none.
	kind string
	of   reflect.Type
}

func documents() []document {
	return []document{
		{"scenarios/schema.json", "scenario.json", v1alpha1.Kind, v1alpha1.Kind, reflect.TypeFor[v1alpha1.Scenario]()},
		{"scenarios/workload.schema.json", "workload.json", v1alpha1.KindWorkload, v1alpha1.KindWorkload,
			reflect.TypeFor[v1alpha1.Workload]()},
		{"docs/workspace.schema.json", "workspace.json", mapping.FileKind, mapping.FileKind,
			reflect.TypeFor[mapping.Workspace]()},
		{"scenarios/quiz.schema.json", "quiz.json", "Quiz", "", reflect.TypeFor[quiz.File]()},
	}
}

func (d document) schema(comments comments) *schema {
	g := &generator{comments: comments, defs: map[string]*schema{}, types: map[string]reflect.Type{}}
	top := g.object(d.of)
	top.Schema = "https://json-schema.org/draft/2020-12/schema"
	top.ID = "https://coalmine.dev/schemas/v1alpha1/" + d.id
	top.Title = d.title
	if d.kind != "" {
		top.Properties["apiVersion"].Const = v1alpha1.APIVersion
		top.Properties["kind"].Const = d.kind
	}
	top.Defs = g.defs
	return top
}

type generator struct {
	comments comments
	defs     map[string]*schema
	types    map[string]reflect.Type
}

// of returns the schema of a type. Structs are defined under $defs and referenced.
func (g *generator) of(t reflect.Type) *schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &schema{Type: "string", Pattern: durationPattern}
	case reflect.TypeFor[scenario.Kind]():
		return &schema{Type: "string", Enum: texts(scenario.Kinds())}
	case reflect.TypeFor[scenario.Checkpoint]():
		return &schema{Type: "string", Enum: texts(scenario.Checkpoints())}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Struct:
		g.define(t)
		return &schema{Ref: "#/$defs/" + t.Name()}
	case reflect.Slice:
		return &schema{Type: "array", Items: g.of(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", PropertyNames: names(t.Key()), Additional: g.of(t.Elem())}
	case reflect.String:
		return &schema{Type: "string", Pattern: pattern(t)}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Interface:
		return &schema{AnyOf: []*schema{{Type: "string"}, {Type: "number"}}}
	}
	panic("schemagen: unsupported type " + t.String())
}

// pattern returns the pattern of a type of strings, "" for none.
func pattern(t reflect.Type) string {
	if p, ok := reflect.Zero(t).Interface().(interface{ Pattern() string }); ok {
		return p.Pattern()
	}
	return ""
}

// names returns the schema of the keys of a map, nil for any.
func names(key reflect.Type) *schema {
	if p := pattern(key); p != "" {
		return &schema{Pattern: p}
	}
	return nil
}

// texts are the values of an enumeration.
func texts[T ~string](all []T) []string {
	var texts []string
	for _, v := range all {
		texts = append(texts, string(v))
	}
	return texts
}

// define adds a struct to $defs under its name without the package; the names must be unique.
func (g *generator) define(t reflect.Type) {
	switch g.types[t.Name()] {
	case nil:
		g.types[t.Name()] = t // before its fields, which may reference it
		g.defs[t.Name()] = g.object(t)
	case t:
	default:
		panic("schemagen: two types have the name " + t.Name())
	}
}

func (g *generator) object(t reflect.Type) *schema {
	s := &schema{Type: "object", Description: g.comments.of(t, ""), Properties: map[string]*schema{}, Additional: false}
	g.addFields(s, t)
	slices.Sort(s.Required)
	return s
}

func (g *generator) addFields(s *schema, t reflect.Type) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
			continue
		case options == "inline":
			g.addFields(s, field.Type)
			continue
		}
		property := g.of(field.Type)
		property.Description = g.comments.of(t, field.Name)
		s.Properties[name] = property
		if !strings.Contains(options, "omitempty") {
			s.Required = append(s.Required, name)
		}
	}
}
