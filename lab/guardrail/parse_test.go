package guardrail

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// testEnvironment is the environment of the course lab.
func testEnvironment() Environment {
	return Environment{
		Namespace:   "develop",
		Targets:     []string{"backend", "frontend"},
		Ports:       map[string]int{"backend": 80, "frontend": 8080},
		TargetPorts: map[string]int{"backend": 8080, "frontend": 8080},
	}
}

// readArchive returns the manifests of a txtar archive.
func readArchive(t *testing.T, path string) map[string][]byte {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, f := range a.Files {
		if IsManifest(f.Name) {
			files[f.Name] = f.Data
		}
	}
	return files
}

func TestParseAcceptsGoodGuardrails(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good/*.txtar")
	if len(paths) == 0 {
		t.Fatal("no archives")
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			files := readArchive(t, path)
			if _, err := Parse(files, testEnvironment()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
