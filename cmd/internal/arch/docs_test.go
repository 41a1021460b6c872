package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pathInDocs is a path of the repository in a Markdown code span: it begins with a top-level
// folder.
var pathInDocs = regexp.MustCompile("`((?:cmd|docs|lab|loadgen|manifests|scenarios|tui)(?:/[a-z0-9._-]+)*)`")

func TestDocumentedPathsExist(t *testing.T) {
	for _, doc := range []string{"docs/architecture.md", "docs/contributing.md", "README.md"} {
		data, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		found := pathInDocs.FindAllStringSubmatch(string(data), -1)
		if doc == "docs/architecture.md" && len(found) < 50 {
			t.Errorf("%s: only %d paths were found", doc, len(found))
		}
		for _, m := range found {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: %s does not exist", doc, m[1])
			}
		}
	}
}

// TestGlossary keeps the glossary as short as it was meant to be, and each word in it once.
func TestGlossary(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, glossary, _ := strings.Cut(string(data), "## Glossary")
	glossary, _, _ = strings.Cut(glossary, "\n## ")
	words := map[string]bool{}
	for _, row := range strings.Split(glossary, "\n") {
		if cells := strings.Split(row, "|"); len(cells) == 4 && !strings.Contains(row, "---") {
			word := strings.TrimSpace(cells[1])
			if words[word] {
				t.Errorf("%q has two rows", word)
			}
			words[word] = true
		}
	}
	delete(words, "Word")
	if n := len(words); n < 15 || n > 25 {
		t.Errorf("the glossary has %d words, want 15 to 25", n)
	}
}
