package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

func TestFoldMarkdown(t *testing.T) {
	text := "# A heading that is longer than the line\n\nSome words in\na paragraph of two lines.\n\n" +
		"1. one item\n   of two lines\n2. another\n\n- an item with code\n\n  ```\n  a line of code that is longer\n  ```\n  and words after it\n" +
		"\n| a | table that is longer |\n|---|---|"
	want := "# A heading that is longer than the line\n\nSome words in a\nparagraph of two\nlines.\n\n" +
		"1. one item of two\n   lines\n2. another\n\n- an item with code\n\n  ```\n  a line of code that is longer\n  ```\n  and words after it\n" +
		"\n| a | table that is longer |\n|---|---|"
	if diff := cmp.Diff(want, foldMarkdown(text, 20)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if foldMarkdown(text, 0) != text {
		t.Error("a pipe got another text")
	}
}

// TestBriefingsKeepTheirWords folds every briefing of the library: no word may be lost or move.
func TestBriefingsKeepTheirWords(t *testing.T) {
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		folder, err := scenario.Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := folder.Text(scenario.FileBriefing)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Fields(string(text)), strings.Fields(foldMarkdown(string(text), 80))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
