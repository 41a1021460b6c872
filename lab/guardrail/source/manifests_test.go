package source

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/findings"
)

// TestManifests compares what is said of manifests as people have them with a table.
func TestManifests(t *testing.T) {
	data, err := os.ReadFile("testdata/manifests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Input      string
		Errors     int
		Found, Not []string
	}
	if err := yaml.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	archive, err := txtar.ParseFile("testdata/manifests.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	dir := tree(t, files)
	env := guardrail.Environment{
		Namespace: "develop", Targets: []string{"backend", "frontend", "edge", "mobile"},
		Ports:       map[string]int{"backend": 80},
		TargetPorts: map[string]int{"backend": 8080, "frontend": 8080},
	}
	for _, c := range cases {
		t.Run(c.Input, func(t *testing.T) {
			set, err := Load(t.Context(), filepath.Join(dir, c.Input), env, Options{})
			var wrong guardrail.Errors
			if err != nil && !errors.As(err, &wrong) {
				t.Fatal(err)
			}
			var out bytes.Buffer
			r := findings.New(set, wrong, func(f guardrail.Finding) guardrail.Finding { return f })
			if err := r.Write(&out, "text", "test"); err != nil {
				t.Fatal(err)
			}
			if n := r.Count(guardrail.SeverityError); n != c.Errors {
				t.Errorf("%d errors, want %d:\n%s", n, c.Errors, out.String())
			}
			for _, part := range c.Found {
				if !strings.Contains(out.String(), part) {
					t.Errorf("%q is not in:\n%s", part, out.String())
				}
			}
			for _, part := range c.Not {
				if strings.Contains(out.String(), part) {
					t.Errorf("%q is in:\n%s", part, out.String())
				}
			}
		})
	}
}
