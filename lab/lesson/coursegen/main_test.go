package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPagesAreFresh compares docs/course with what the lessons and manifests say now.
func TestPagesAreFresh(t *testing.T) {
	pages, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join("../../../docs/course", name))
		if err != nil || string(got) != want {
			t.Errorf("docs/course/%s is not what the lessons say (%v): go generate ./lab/lesson/coursegen", name, err)
		}
		if strings.Contains(want, "{{fig") || strings.Contains(want, "<no value>") {
			t.Errorf("docs/course/%s has a figure that was not filled in", name)
		}
	}
}
