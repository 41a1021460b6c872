// Command crdgen derives the schemas of package crd from the CustomResourceDefinitions that the Go
// modules of Flagger and of the Gateway API carry: types, required fields, values, patterns and the
// rules in CEL of the versions that are served. Texts for people are left out. The modules are
// looked up, and downloaded if necessary, by the go command.
//
//	go run ./crdgen schemas
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// module is a Go module and its files of CustomResourceDefinitions. The version of Flagger is that
// of go.mod; the Gateway API's is that of manifests/versions.yaml.
type module struct {
	path  string
	files []string
}

func modules() []module {
	const gateway = "config/crd/standard/gateway.networking.k8s.io_"
	return []module{
		{"github.com/fluxcd/flagger", []string{"artifacts/flagger/crd.yaml"}},
		{"sigs.k8s.io/gateway-api@v1.2.1", []string{gateway + "httproutes.yaml", gateway + "grpcroutes.yaml"}},
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crdgen FOLDER")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crdgen:", err)
		os.Exit(1)
	}
}

func generate(folder string) error {
	for _, m := range modules() {
		dir, err := m.dir()
		if err != nil {
			return err
		}
		for _, file := range m.files {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				return err
			}
			if err := write(folder, m.path+", "+file, data); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// dir returns the folder of a module in the module cache.
func (m module) dir() (string, error) {
	args := []string{"list", "-m", "-json", m.path}
	if strings.Contains(m.path, "@") {
		args = []string{"mod", "download", "-json", m.path}
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	var found struct{ Dir string }
	return found.Dir, json.Unmarshal(out, &found)
}

// write writes a file for each kind, which holds the schema of each version.
func write(folder, source string, data []byte) error {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var d apiextensionsv1.CustomResourceDefinition
		if err := decoder.Decode(&d); err != nil {
			break // the end, or no CustomResourceDefinition
		}
		if d.Spec.Names.Kind == "" {
			continue
		}
		text, err := encode(&d, source)
		if err != nil {
			return err
		}
		name := d.Spec.Names.Kind + "." + d.Spec.Group + ".json"
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A definition is what a file holds.
type definition struct {
	Source   string    `json:"source"`
	Versions []version `json:"versions"`
}

// A version has a schema, or that of the version named by SameAs.
type version struct {
	Version string                           `json:"version"`
	SameAs  string                           `json:"sameAs,omitempty"`
	Schema  *apiextensionsv1.JSONSchemaProps `json:"schema,omitempty"`
}

// encode writes each schema once, under the first version that has it.
func encode(d *apiextensionsv1.CustomResourceDefinition, source string) ([]byte, error) {
	out := definition{Source: source}
	seen := map[string]string{}
	for _, v := range d.Spec.Versions {
		if !v.Served || v.Schema == nil {
			continue
		}
		schema := v.Schema.OpenAPIV3Schema
		delete(schema.Properties, "status")
		strip(schema)
		text, err := json.Marshal(schema)
		if err != nil {
			return nil, err
		}
		if same, ok := seen[string(text)]; ok {
			out.Versions = append(out.Versions, version{Version: v.Name, SameAs: same})
			continue
		}
		seen[string(text)] = v.Name
		out.Versions = append(out.Versions, version{Version: v.Name, Schema: schema})
	}
	text, err := json.MarshalIndent(out, "", " ")
	return append(text, '\n'), err
}

// strip removes what does not decide whether an object is valid.
func strip(s *apiextensionsv1.JSONSchemaProps) {
	s.Description, s.Title, s.Example, s.ExternalDocs = "", "", nil, nil
	for name, p := range s.Properties {
		strip(&p)
		s.Properties[name] = p
	}
	for _, list := range [][]apiextensionsv1.JSONSchemaProps{s.AllOf, s.AnyOf, s.OneOf} {
		for i := range list {
			strip(&list[i])
		}
	}
	if s.Items != nil && s.Items.Schema != nil {
		strip(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		strip(s.AdditionalProperties.Schema)
	}
	if s.Not != nil {
		strip(s.Not)
	}
}
