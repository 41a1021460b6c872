package lint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/guardrailtest"
	"coalmine/lab/guardrail/lint"
)

// scenarioEnvironment is that of a scenario: everything that manifests can refer to is known.
func scenarioEnvironment() guardrail.Environment {
	env := testEnvironment()
	env.ReleaseTarget, env.Clients = "backend", []string{"edge"}
	env.Rates = map[string]float64{"backend": 20, "frontend": 20}
	env.ErrorRates = map[string]float64{"backend": 0.005}
	return env
}

// findingLines returns the errors and warnings about manifests, one on a line.
func findingLines(files map[string][]byte, env guardrail.Environment) []string {
	set, err := guardrail.Parse(files, env)
	var lines []string
	var wrong guardrail.Errors
	if errors.As(err, &wrong) {
		for _, f := range wrong {
			lines = append(lines, strings.TrimRight("error "+f.Rule, " ")+": "+f.String())
		}
		return lines
	}
	for _, f := range lint.Check(set) {
		lines = append(lines, fmt.Sprintf("%s %s: %s", f.Severity, f.Rule, f.String()))
	}
	return lines
}

// TestRules compares the findings of the documented examples.
func TestRules(t *testing.T) {
	guardrailtest.RunCases(t, "testdata/rules/*.txtar", *update, func(files map[string][]byte) []string {
		return findingLines(files, scenarioEnvironment())
	})
}

// example is a documented case of a rule.
type example struct {
	// changes are what the case writes, reason why it is well, want what it prints.
	changes []string
	reason  string
	want    string
}

// examples returns the examples that a rule finds, and those that it does not, by rule.
func examples(t *testing.T) (found, spared map[string]example) {
	t.Helper()
	found, spared = map[string]example{}, map[string]example{}
	paths, _ := filepath.Glob("testdata/rules/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasPrefix(f.Name, "base/") {
				continue
			}
			e := parseExample(string(f.Data))
			name, not := strings.CutPrefix(f.Name, "not ")
			if not {
				name, e.reason, _ = strings.Cut(name, ": ")
				spared[name] = e
			} else {
				found[name] = e
			}
		}
	}
	return found, spared
}

func parseExample(data string) example {
	var e example
	for line := range strings.Lines(data) {
		switch text, isWith := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "with: "); {
		case isWith:
			e.changes = append(e.changes, strings.ReplaceAll(text, `\n`, "\n"))
		case !strings.HasPrefix(line, "replace:") && !strings.HasPrefix(line, "with:"):
			e.want += line
		}
	}
	return e
}

// elsewhere are the rules that package findings reports, with examples of its own.
func elsewhere(rule string) bool {
	return rule == lint.RuleSuppression || rule == lint.RuleUnusedSuppression
}

// TestEveryRuleHasExamples requires of each rule an example that it finds, and one that looks like
// it and is well.
func TestEveryRuleHasExamples(t *testing.T) {
	found, spared := examples(t)
	seen := make(map[string]bool)
	for _, r := range lint.Rules() {
		if seen[r.Name] || r.What == "" || r.Why == "" || r.Source == "" || r.Section == "" {
			t.Errorf("rule %q is a duplicate, or lacks What, Why, Source or Section", r.Name)
		}
		seen[r.Name] = true
		if elsewhere(r.Name) {
			continue
		}
		mark := r.Severity.String() + " " + r.Name + ": "
		if e, ok := found[r.Name]; !ok || !strings.Contains(e.want, mark) {
			t.Errorf("rule %s has no example that it finds", r.Name)
		}
		if e, ok := spared[r.Name]; !ok || strings.Contains(e.want, mark) || e.reason == "" {
			t.Errorf("rule %s has no example that looks like it and is well", r.Name)
		}
	}
	for name := range found {
		if !seen[name] {
			t.Errorf("there is an example of rule %s, which does not exist", name)
		}
	}
}

const page = "../../../docs/lint.md"

// TestPage requires docs/lint.md to be what the rules and their examples say; -update writes it.
func TestPage(t *testing.T) {
	want := rulesPage(t)
	got := string(read(t, page))
	before, rest, ok1 := strings.Cut(got, "<!-- rules -->\n")
	_, after, ok2 := strings.Cut(rest, "<!-- end of rules -->\n")
	if !ok1 || !ok2 {
		t.Fatal("docs/lint.md has no place for the rules")
	}
	full := before + "<!-- rules -->\n" + want + "<!-- end of rules -->\n" + after
	if got == full {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(full), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("docs/lint.md is not what the rules say; run go test ./lab/guardrail/lint -update")
}

func rulesPage(t *testing.T) string {
	found, spared := examples(t)
	var b strings.Builder
	for _, section := range lint.Sections() {
		fmt.Fprintf(&b, "\n## %s\n", section)
		for _, r := range lint.Rules() {
			if r.Section != section {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", r.Name, wrap(r.What+" ("+r.Severity.String()+")"))
			fmt.Fprintf(&b, "\n%s\n", wrap(r.Why))
			if e := found[r.Name]; len(e.changes) > 0 {
				fmt.Fprintf(&b, "\nFound:\n\n%s", fence(e.changes))
			}
			if e, ok := spared[r.Name]; ok {
				fmt.Fprintf(&b, "\nNot found, since it is well (%s)%s", e.reason, fenceOr(e.changes))
			}
			fmt.Fprintf(&b, "\n%s\n", wrap("Source: "+r.Source+"."))
		}
	}
	return strings.TrimPrefix(b.String(), "\n") + "\n"
}

func fenceOr(changes []string) string {
	if len(changes) == 0 {
		return ".\n"
	}
	return ":\n\n" + fence(changes)
}

// fence returns the changed lines of an example as a block of code.
func fence(changes []string) string {
	var b strings.Builder
	b.WriteString("```yaml\n")
	for i, c := range changes {
		if i > 0 {
			b.WriteString("# and\n")
		}
		for line := range strings.Lines(dedent(c) + "\n") {
			b.WriteString(folded(line))
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// folded breaks a line of code that is over 100 columns after an operator or a comma.
func folded(line string) string {
	if len(line) <= 100 {
		return line
	}
	best := -1
	for _, at := range []string{" / ", " or ", ", ", ","} {
		if i := strings.LastIndex(line[:100], at); i > 20 && best < 0 {
			best = i + len(at)
		}
	}
	if best < 0 {
		return line
	}
	return strings.TrimRight(line[:best], " ") + "\n" + folded("  "+line[best:])
}

// dedent removes the indentation that the lines after the first have in common, as far as the first
// line has it.
func dedent(text string) string {
	lines := strings.Split(text, "\n")
	least := -1
	for _, l := range lines[1:] {
		if n := len(l) - len(strings.TrimLeft(l, " ")); strings.TrimSpace(l) != "" && (least < 0 || n < least) {
			least = n
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(lines[i], strings.Repeat(" ", min(max(least, 0),
			len(lines[i])-len(strings.TrimLeft(lines[i], " "))))), " ")
	}
	return strings.Join(lines, "\n")
}

// wrap breaks a text into lines of at most 100 columns.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column > 0 && column+1+len(word) > 100 {
			b.WriteString("\n")
			column = 0
		}
		if column > 0 {
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
