package authoring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/run/trial"
	"coalmine/lab/teaching/authoring"
)

// scaffold writes a new scenario, with some of its files replaced; "" removes one.
func scaffold(t *testing.T, replaced map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "late-orders")
	files, err := authoring.Scaffold("late-orders")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range replaced {
		files[name] = []byte(text)
	}
	for name, data := range files {
		if len(data) == 0 {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// check plays no seed.
func check(t *testing.T, dir string) authoring.Report {
	t.Helper()
	src, err := trial.Open("", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	report, err := authoring.Check(t.Context(), src, dir, authoring.Options{Margin: 20})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// failed returns the failed checks.
func failed(r authoring.Report) string {
	var names []string
	for _, l := range r.Lines {
		if l.Outcome == authoring.Failed {
			names = append(names, l.Check)
		}
	}
	return strings.Join(names, " ")
}

// TestComplete checks what a new scenario has, and one that was written by docs/authoring.md.
func TestComplete(t *testing.T) {
	for _, dir := range []string{scaffold(t, nil), "testdata/grace-period"} {
		if r := check(t, dir); failed(r) != "" {
			t.Errorf("%s: %s failed: %+v", dir, failed(r), r.Lines)
		}
	}
}

func TestFailures(t *testing.T) {
	files, err := authoring.Scaffold("late-orders")
	if err != nil {
		t.Fatal(err)
	}
	text := string(files["scenario.yaml"])
	edit := func(old, changed string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the template has no %q", old)
		}
		return strings.Replace(text, old, changed, 1)
	}
	for want, replaced := range map[string]map[string]string{
		"labels": {"scenario.yaml": edit("          notes: Moves orders to a new table.\n",
			"          labels: {build: broken}\n")},
		"name briefing":          {"scenario.yaml": edit("name: late-orders", "name: other-orders")},
		"rubric":                 {"scenario.yaml": edit("points: 45", "points: 44")},
		"vary":                   {"scenario.yaml": without(text, "  vary:", "  rubric:")},
		"briefing hints sources": {"briefing.md": "# Late orders\n"},
		"quiz":                   {"quiz.yaml": ""},
		"starter/":               {"starter/canary.yaml": "", "starter/metrics.yaml": ""},
		"solution/":              {"solution/canary.yaml": "kind: Canary\n"},
	} {
		r := check(t, scaffold(t, replaced))
		if got := failed(r); got != want {
			t.Errorf("%s failed, want %s: %+v", got, want, r.Lines)
		}
	}
}

// without removes the text from one heading up to another.
func without(text, from, to string) string {
	before, rest, _ := strings.Cut(text, from)
	_, after, _ := strings.Cut(rest, to)
	return before + to + after
}
