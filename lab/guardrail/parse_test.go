package guardrail

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// testEnvironment is the course lab.
func testEnvironment() Environment {
	return Environment{
		Namespace:   "develop",
		Targets:     []string{"backend", "frontend"},
		Ports:       map[string]int{"backend": 80, "frontend": 8080},
		TargetPorts: map[string]int{"backend": 8080, "frontend": 8080},
	}
}

// readArchive gives the files of a txtar archive, and its comment.
func readArchive(t *testing.T, path string) (map[string][]byte, string) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, f := range a.Files {
		if isManifest(f.Name) {
			files[f.Name] = f.Data
		}
	}
	return files, string(a.Comment)
}

func TestParseAcceptsGoodGuardrails(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good/*.txtar")
	if len(paths) == 0 {
		t.Fatal("no archives")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			files, _ := readArchive(t, path)
			set, err := Parse(files, testEnvironment())
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range set.Warnings {
				t.Errorf("warning: %s (%s)", w, w.Rule)
			}
		})
	}
}
