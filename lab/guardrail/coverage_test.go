package guardrail

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"coalmine/lab/guardrail/guardrailtest"
)

// Marks around the table in README.md that TestCoverage writes.
const coverageBegin, coverageEnd = "<!-- manifests -->\n", "<!-- end of manifests -->\n"

// TestCoverage requires the table of README.md to say what becomes of manifests, by giving them to
// Parse. -update writes it.
func TestCoverage(t *testing.T) {
	rows := map[string][]string{}
	guardrailtest.EachCase(t, "testdata/coverage.txtar", func(name string, files map[string][]byte) {
		outcome, says := coverage(files)
		rows[outcome] = append(rows[outcome], fmt.Sprintf("| %s | %s | %s |\n", outcome, name, says))
	})
	var b strings.Builder
	b.WriteString("| | What | What coalmine says |\n|---|---|---|\n")
	for _, outcome := range []string{"accepted", "mapped", "noted", "refused"} {
		if len(rows[outcome]) == 0 {
			t.Errorf("no manifests are %s", outcome)
		}
		b.WriteString(strings.Join(rows[outcome], ""))
	}
	b.WriteString("\n" + wrapped("These kinds are read: "+kindNames()+".") + "\n")
	const file = "../../README.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), coverageBegin)
	_, after, ok2 := strings.Cut(rest, coverageEnd)
	full := before + coverageBegin + b.String() + coverageEnd + after
	switch {
	case !ok1 || !ok2:
		t.Fatal("README.md has no place for the table")
	case full == string(data):
	case *update:
		if err := os.WriteFile(file, []byte(full), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md is stale; run go test ./lab/guardrail -run TestCoverage -update. It should say\n%s",
			b.String())
	}
}

// wrapped breaks a text into lines of at most 100 columns.
func wrapped(text string) string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) > 100:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return strings.Join(lines, "\n")
}

// coverage returns what becomes of manifests, and the first thing that is said of them.
func coverage(files map[string][]byte) (outcome, says string) {
	set, err := Parse(files, testEnvironment())
	var wrong Errors
	if errors.As(err, &wrong) {
		return "refused", cell(wrong[0])
	}
	outcome = "accepted"
	for _, f := range set.Notes {
		if outcome, says = "noted", cell(f); isMapped(f.Message) {
			outcome = "mapped"
		}
	}
	return outcome, says
}

// isMapped reports whether a note is about something that is played by something else.
func isMapped(message string) bool {
	for _, words := range []string{" is played as ", " in place of ", " is asked"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// cell returns a finding as a cell of a table.
func cell(f Finding) string {
	text := f.Message
	if f.Field != "" {
		text = "`" + f.Field + "`: " + text
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return strings.ReplaceAll(text, "|", `\|`)
}
