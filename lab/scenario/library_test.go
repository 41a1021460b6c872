package scenario

import (
	"coalmine/scenarios"
)

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLibraryLoads(t *testing.T) {
	names, err := Names(scenarios.Library())
	if err != nil || len(names) == 0 {
		t.Fatalf("the library has %d scenarios, error %v", len(names), err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			folder, err := Open(scenarios.Library(), name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name {
				t.Errorf("metadata.name is %q in folder %q", s.Name, name)
			}
			if b, err := folder.Text(FileBriefing); err != nil || !strings.HasPrefix(string(b), "# ") {
				t.Errorf("%s: error %v, starts with %.20q: want a Markdown title", FileBriefing, err, b)
			}
			for _, id := range []string{"caught", "healthy-promoted"} {
				if !slices.ContainsFunc(s.Rubric.Items, func(i RubricItem) bool { return i.ID == id && i.Essential }) {
					t.Errorf("the rubric has no essential item %s", id)
				}
			}
			variants, err := folder.Variants()
			if err != nil {
				t.Fatal(err)
			}
			for _, variant := range []string{Starter, "naive", "solution"} {
				if files, err := folder.Files(variant); err != nil || len(files) == 0 ||
					!slices.Contains(variants, variant) {
					t.Errorf("%s/ has %d manifests, error %v", variant, len(files), err)
				}
			}
		})
	}
}

func TestListOrder(t *testing.T) {
	entry := func(name, topic, level string) *fstest.MapFile {
		text := strings.NewReplacer("name: minimal", "name: "+name, "topic: rollout", "topic: "+topic, "level: 1",
			"level: "+level).
			Replace(minimal)
		return &fstest.MapFile{Data: []byte(text)}
	}
	all, err := List(fstest.MapFS{
		"a/scenario.yaml": entry("a", "zones", "1"),
		"b/scenario.yaml": entry("b", "cohorts", "3"),
		"c/scenario.yaml": entry("c", "cohorts", "2"),
		"d/scenario.yaml": entry("d", "cohorts", "2"),
		"e/readme.yaml":   {Data: []byte("no scenario")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "a c d b" {
		t.Errorf("the order is %s, want a c d b", got)
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, name := range []string{"", ".", "..", "v1alpha1", "no-such-thing", "full-rollout/starter"} {
		if _, err := Open(scenarios.Library(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q) returned %v, want fs.ErrNotExist", name, err)
		}
	}
}

// TestNext picks the easiest scenario that is not solved, in the order of the list.
func TestNext(t *testing.T) {
	all := []*Scenario{{Name: "late", Topic: "b", Level: 2}, {Name: "hard", Topic: "a", Level: 3},
		{Name: "first", Topic: "b", Level: 1}, {Name: "also-late", Topic: "b", Level: 2}}
	solved := map[string]bool{}
	for _, want := range []string{"first", "also-late", "late", "hard", ""} {
		if got := Next(all, func(name string) bool { return solved[name] }); got != want {
			t.Errorf("with %v solved, %q is next, want %q", solved, got, want)
		}
		solved[want] = true
	}
}
