package scenario

import (
	"coalmine/scenarios"
)

import (
	"strings"
	"testing"
)

func TestLibraryHasHints(t *testing.T) {
	names, err := Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.Briefing()
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Hints) != HintLevels {
			t.Errorf("%s has %d hints, want %d", name, len(b.Hints), HintLevels)
		}
		for i, h := range b.Hints {
			if h.Text == "" {
				t.Errorf("%s: hint %d is %+v", name, i+1, h)
			}
			if strings.Contains(b.Text, h.Text) {
				t.Errorf("%s: the briefing contains hint %d", name, i+1)
			}
		}
		if !strings.HasPrefix(b.Text, "# ") || strings.Contains(b.Text, "## Hints") {
			t.Errorf("%s: the briefing starts with %.40q", name, b.Text)
		}
	}
}

func TestSplitBriefing(t *testing.T) {
	text := "# Title\n\nWords.\n\n## Hints\n\n### 1. Where\n\nHere.\n\n```\n## Hints\n### no heading\n```\n\n" +
		"### Level 2\r\n\r\nThere.\n\n## After\n\n### Own\n\nMore.\n"
	b := SplitBriefing(text)
	if want := "# Title\n\nWords.\n\n## After\n\n### Own\n\nMore."; b.Text != want {
		t.Errorf("the briefing is %q, want %q", b.Text, want)
	}
	want := []Hint{{"Where", "Here.\n\n```\n## Hints\n### no heading\n```"}, {"", "There."}}
	if got := []string{b.Hints[0].Heading(1), b.Hints[1].Heading(2)}; got[0] != "Hint 1: Where" || got[1] != "Hint 2" {
		t.Errorf("the headings are %q", got)
	}
	if len(b.Hints) != 2 || b.Hints[0] != want[0] || b.Hints[1] != want[1] {
		t.Errorf("the hints are %q, want %q", b.Hints, want)
	}
}

func TestHintCost(t *testing.T) {
	for hints, want := range map[int]int{-1: 0, 0: 0, 1: 5, 2: 15, 3: 30, 9: 30} {
		if got := HintCost(hints, 100); got != want {
			t.Errorf("%d hints cost %d of 100, want %d", hints, got, want)
		}
	}
	if got := HintCost(2, 40); got != 6 {
		t.Errorf("2 hints cost %d of 40, want 6", got)
	}
}
