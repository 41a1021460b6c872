package guardrail

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is said into testdata/cases")

// TestCases changes good guardrails, case by case, and compares all that is said: errors, or else warnings with their rule.
func TestCases(t *testing.T) {
	paths, _ := filepath.Glob("testdata/cases/*.txtar")
	if len(paths) == 0 {
		t.Fatal("no archives")
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		base := make(map[string]string)
		for i, f := range a.Files {
			if name, ok := strings.CutPrefix(f.Name, "base/"); ok {
				base[name] = string(f.Data)
				continue
			}
			t.Run(filepath.Base(path)+"/"+f.Name, func(t *testing.T) {
				steps, want := splitCase(string(f.Data))
				got := said(Parse(changed(t, base, steps), testEnvironment()))
				if *update {
					a.Files[i].Data = []byte(strings.Join(append(steps, got...), "\n") + "\n")
					return
				}
				if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
					t.Errorf("got\n%s\nwant\n%s", g, w)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// splitCase takes the changes of a case from the lines that it expects.
func splitCase(text string) (steps, want []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "replace:"), strings.HasPrefix(line, "with:"):
			steps = append(steps, line)
		case line != "":
			want = append(want, line)
		}
	}
	return steps, want
}

// changed applies a case's changes to the base; every one must find its text.
func changed(t *testing.T, base map[string]string, steps []string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte, len(base))
	for name, text := range base {
		files[name] = []byte(text)
	}
	for i := 0; i+1 < len(steps); i += 2 {
		before, after := unescape(steps[i], "replace:"), unescape(steps[i+1], "with:")
		found := false
		for name, data := range files {
			if strings.Contains(string(data), before) {
				files[name] = []byte(strings.Replace(string(data), before, after, 1))
				found = true
			}
		}
		if !found {
			t.Fatalf("no base file has %q", before)
		}
	}
	return files
}

func unescape(line, prefix string) string {
	text := strings.TrimPrefix(strings.TrimPrefix(line, prefix), " ")
	return strings.ReplaceAll(text, `\n`, "\n")
}

// said is one line per error, or else per warning.
func said(set *Set, err error) []string {
	var lines []string
	var found Errors
	switch {
	case errors.As(err, &found):
		for _, f := range found {
			lines = append(lines, "error: "+f.String())
		}
	case err != nil:
		lines = append(lines, "another error: "+err.Error())
	default:
		for _, w := range set.Warnings {
			lines = append(lines, "warning "+w.Rule+": "+w.String())
		}
	}
	return lines
}
