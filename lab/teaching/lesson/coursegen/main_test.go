package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
)

// TestQuizCanBeRead reads the page back as a quiz: its lines are wrapped, and nothing of them is lost.
func TestQuizCanBeRead(t *testing.T) {
	pages, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	q, notes, err := quiz.Import("quiz.md", quiz.FormatMarkdown, []byte(pages["quiz.md"]))
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	const last = "Looking again and again until it is significant finds something where nothing is."
	if !slices.ContainsFunc(q.Questions, func(x scenario.Question) bool { return x.Why == last }) {
		t.Errorf("no question of %d has the explanation %q", len(q.Questions), last)
	}
}

// TestPagesAreFresh compares docs/course with what the lessons and manifests say now.
func TestPagesAreFresh(t *testing.T) {
	pages, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join("../../../../docs/course", name))
		if err != nil || string(got) != want {
			t.Errorf("docs/course/%s is not what the lessons say (%v): "+
				"go generate ./lab/teaching/lesson/coursegen", name, err)
		}
		if strings.Contains(want, "{{fig") || strings.Contains(want, "<no value>") {
			t.Errorf("docs/course/%s has a figure that was not filled in", name)
		}
	}
}
