package arch

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the longest line that Go code, Markdown, YAML and scripts may have.
const maxColumns = 120

// phrase is a habit that plain technical English does without, and what to write.
type phrase struct {
	pattern *regexp.Regexp
	write   string
}

func phrases() []phrase {
	var all []phrase
	for _, p := range [][2]string{
		{`tells? (whether|if)`, "reports whether"},
		{`tells? (why|what|how|who|where|which|when)`, "returns, says or describes"},
		{`the begin of`, "the start of"},
		{`anew`, "again, or new"},
		{`knows? (no|neither)`, "has no, does not support, or does not import"},
		{`what is no`, "invalid"},
		{`for as soon as may be`, "at once"},
		{`whoever`, "the caller, or the user"},
		{`stand-?in mesh`, "test mesh"},
	} {
		all = append(all, phrase{regexp.MustCompile(`(?i)\b` + p[0] + `\b`), p[1]})
	}
	return all
}

// styled reports whether the style applies to a file: what people write, but not recorded output.
func styled(path string) bool {
	if path == "cmd/internal/arch/style_test.go" {
		return false
	}
	name := filepath.Base(path)
	return slices.Contains([]string{".go", ".md", ".yaml", ".sh"}, filepath.Ext(path)) || name == "Makefile" ||
		path == ".ci/run"
}

// TestStyle refuses phrases and lines that docs/contributing.md rules out.
func TestStyle(t *testing.T) {
	rules := phrases()
	for _, path := range styledFiles(t) {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		raw := rawLines(path, data)
		for i, line := range strings.Split(string(data), "\n") {
			if n := columns(line); n > maxColumns && !raw[i] && !unbreakable(path, line) {
				t.Errorf("%s:%d: %d columns, over %d: wrap the line", path, i+1, n, maxColumns)
			}
			for _, rule := range rules {
				if found := rule.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: write %s", path, i+1, found, rule.write)
				}
			}
		}
	}
}

// TestStyleFindsViolations keeps the rules from allowing what they are there to refuse.
func TestStyleFindsViolations(t *testing.T) {
	for _, line := range []string{
		"// x tells whether y", "It Tells Whether", "the begin of the run", "made anew", "X knows no Y",
		"tells why it failed",
	} {
		if !slices.ContainsFunc(phrases(), func(p phrase) bool { return p.pattern.MatchString(line) }) {
			t.Errorf("no rule refuses %q", line)
		}
	}
	if n := columns("\tx"); n != 5 {
		t.Errorf("a tab and a letter are %d columns, want 5", n)
	}
}

// columns counts the columns of a line, a tab as four.
func columns(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

// unbreakable reports whether a line cannot be wrapped: a row of a Markdown table, or one long word
// such as an image reference.
func unbreakable(path, line string) bool {
	line = strings.TrimSpace(line)
	if strings.HasSuffix(path, ".md") && strings.HasPrefix(line, "|") {
		return true
	}
	if strings.HasSuffix(path, ".md") && strings.HasPrefix(line, "`") && strings.HasSuffix(line, "`") {
		return true
	}
	return strings.HasPrefix(line, "//go:") || len(strings.Fields(line)) <= 2
}

// rawLines are the lines of a Go file that a raw string is on: what it quotes cannot be wrapped.
func rawLines(path string, data []byte) map[int]bool {
	lines := map[int]bool{}
	if filepath.Ext(path) != ".go" {
		return lines
	}
	fset := token.NewFileSet()
	file := fset.AddFile(path, fset.Base(), len(data))
	var s scanner.Scanner
	s.Init(file, data, nil, 0)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.STRING && strings.HasPrefix(literal, "`") {
			first := file.Line(pos) - 1
			for i := range strings.Count(literal, "\n") + 1 {
				lines[first+i] = true
			}
		}
	}
}

// styledFiles lists the files that the style applies to, as paths within the module.
func styledFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains([]string{".git", "bin", "runs", "testdata"}, d.Name())) {
			return filepath.SkipDir
		}
		if rel = filepath.ToSlash(rel); !d.IsDir() && styled(rel) {
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
