// Package guardrailtest runs tests of guardrails that are written as txtar archives.
//
// Files below base/ are valid guardrails. Every other file is one case: lines that change the base,
// and the lines that the guardrails then print.
//
//	-- short interval --
//	replace: interval: 30s
//	with: interval: 5s
//	error: canary.yaml:20: spec.analysis.interval: ...
//
// "replace:" and "with:" may contain \n for a newline.
package guardrailtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// RunCases runs the cases of all archives that match pattern. print returns the lines that a set of
// manifests prints. If update is set, RunCases writes these to the archives instead of comparing
// them.
func RunCases(t *testing.T, pattern string, update bool, print func(files map[string][]byte) []string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives match %s: %v", pattern, err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		runArchive(t, filepath.Base(path), a, update, print)
		if update {
			if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// EachCase calls f for each case of an archive, with its manifests. What the archive expects is not
// compared.
func EachCase(t *testing.T, path string, f func(name string, files map[string][]byte)) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	base := make(map[string]string)
	for _, file := range a.Files {
		if name, ok := strings.CutPrefix(file.Name, "base/"); ok {
			base[name] = string(file.Data)
			continue
		}
		changes, _ := splitCase(string(file.Data))
		f(file.Name, apply(t, base, changes))
	}
}

func runArchive(t *testing.T, name string, a *txtar.Archive, update bool, print func(map[string][]byte) []string) {
	base := make(map[string]string)
	for i, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "base/"); ok {
			base[name] = string(f.Data)
			continue
		}
		t.Run(name+"/"+f.Name, func(t *testing.T) {
			changes, want := splitCase(string(f.Data))
			got := print(apply(t, base, changes))
			if update {
				a.Files[i].Data = []byte(strings.Join(append(changes, got...), "\n") + "\n")
				return
			}
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// splitCase separates the changes of a case from the expected lines.
func splitCase(text string) (changes, want []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "replace:"), strings.HasPrefix(line, "with:"):
			changes = append(changes, line)
		case line != "":
			want = append(want, line)
		}
	}
	return changes, want
}

// apply applies the changes of a case to the base. Each change must match.
func apply(t *testing.T, base map[string]string, changes []string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte, len(base))
	for name, text := range base {
		files[name] = []byte(text)
	}
	for i := 0; i+1 < len(changes); i += 2 {
		before, after := unescape(changes[i], "replace:"), unescape(changes[i+1], "with:")
		found := false
		for name, data := range files {
			if strings.Contains(string(data), before) {
				files[name] = []byte(strings.Replace(string(data), before, after, 1))
				found = true
			}
		}
		if !found {
			t.Fatalf("no base file contains %q", before)
		}
	}
	return files
}

func unescape(line, prefix string) string {
	text := strings.TrimPrefix(strings.TrimPrefix(line, prefix), " ")
	return strings.ReplaceAll(text, `\n`, "\n")
}
