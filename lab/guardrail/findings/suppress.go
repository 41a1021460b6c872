package findings

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
)

// A comment suppresses the findings of one rule, with a reason:
//
//	threshold: 1 # coalmine:ignore one-strike the service has ten requests a second
//
// On a line with a field it applies to that field. On a line of its own it applies to the field
// that follows, with everything below it; before the first field of a document, to the whole document.
const directive = "coalmine:ignore"

var directiveComment = regexp.MustCompile(`#\s*` + regexp.QuoteMeta(directive) + `\b[ \t]*(\S*)[ \t]*(.*)$`)

// suppression is one comment.
type suppression struct {
	at           guardrail.Position
	rule, reason string
	// from and to are the first and the last line that it applies to.
	from, to int
	used     bool
}

// suppress marks the findings that a comment suppresses, and reports comments that are wrong. whole is
// set if all manifests could be read.
func (r *Report) suppress(set *guardrail.Set, whole bool) {
	files := set.Files
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !bytes.Contains(files[name], []byte(directive)) {
			continue
		}
		all := suppressions(name, files[name])
		for i := range r.Findings {
			f := &r.Findings[i]
			for j := range all {
				if s := &all[j]; f.Reason == "" && s.covers(f.Finding) {
					f.Reason, s.used = s.reason, true
				}
			}
		}
		for _, s := range all {
			r.check(s, whole && decided(s.rule, set.Environment))
		}
	}
}

func (s *suppression) covers(f guardrail.Finding) bool {
	return s.reason != "" && f.Rule == s.rule && f.File == s.at.File && f.Line >= s.from && f.Line <= s.to
}

// decided reports whether the findings of a rule are all known. The lab's notes depend on the scenario,
// as some rules do.
func decided(rule string, e guardrail.Environment) bool {
	if rule == unnamedNote {
		return e.ReleaseTarget != ""
	}
	return !slices.ContainsFunc(lint.Rules(), func(r lint.Rule) bool { return r.Name == rule && !r.Decided(e) })
}

// check reports a comment without a reason, of an unknown rule, or without an effect. decided is set
// if a comment that suppresses nothing is known to have no effect.
func (r *Report) check(s suppression, decided bool) {
	known := s.rule == unnamedNote ||
		slices.ContainsFunc(lint.Rules(), func(rule lint.Rule) bool { return rule.Name == s.rule })
	f := guardrail.Finding{Position: s.at, Severity: guardrail.SeverityWarning}
	switch {
	case !known:
		f.Rule, f.Message = lint.RuleSuppression, "there is no rule "+guardrail.Clip(s.rule)+" that could be ignored"
		f.Hint = "write # " + directive + " RULE REASON; docs/lint.md lists the rules"
	case s.reason == "":
		f.Rule, f.Message = lint.RuleSuppression, "has no reason, and suppresses nothing"
		f.Hint = "write # " + directive + " " + s.rule + " and why the finding does not apply"
	case !s.used && decided:
		f.Rule, f.Message = lint.RuleUnusedSuppression, "no finding of rule "+s.rule+" is suppressed here"
		f.Hint, f.Severity = "remove the comment", guardrail.SeverityNote
	default:
		return
	}
	r.Findings = append(r.Findings, Finding{Finding: f})
}

// suppressions returns the comments of a manifest.
func suppressions(name string, data []byte) []suppression {
	lines := strings.Split(string(data), "\n")
	comments := commentsOf(data)
	var all []suppression
	for i, line := range lines {
		m := directiveComment.FindStringSubmatchIndex(line)
		if m == nil || !comments[strings.TrimSpace(line[m[0]:])] {
			continue
		}
		s := suppression{at: guardrail.Position{File: name, Line: i + 1, Column: m[0] + 1},
			rule: line[m[2]:m[3]], reason: strings.TrimSpace(line[m[4]:m[5]])}
		s.from, s.to = i+1, i+1
		if strings.TrimSpace(line[:m[0]]) == "" {
			s.from, s.to = scope(lines, i+1)
		} else {
			_, s.to = block(lines, i)
		}
		all = append(all, s)
	}
	return all
}

// scope returns the lines, from 1, that a comment before line i, from 0, applies to.
func scope(lines []string, i int) (from, to int) {
	first := true // in its document, so far
	for j := i - 2; j >= 0 && first; j-- {
		if isSeparator(lines[j]) {
			break
		}
		first = isBlank(lines[j])
	}
	for ; i < len(lines) && isBlank(lines[i]); i++ {
	}
	if i >= len(lines) {
		return i, i
	}
	if !first {
		return block(lines, i)
	}
	end := i
	for end+1 < len(lines) && !isSeparator(lines[end+1]) {
		end++
	}
	return i + 1, end + 1
}

// block returns the lines of the field that starts on line i, counted from 0: those that follow and
// are indented further.
func block(lines []string, i int) (from, to int) {
	end := i
	for j := i + 1; j < len(lines) && !isSeparator(lines[j]); j++ {
		if isBlank(lines[j]) {
			continue
		}
		item := isItem(lines[j]) && !isItem(lines[i])
		if n := indent(lines[j]) - indent(lines[i]); n < 0 || n == 0 && !item {
			break
		}
		end = j
	}
	return i + 1, end + 1
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func isItem(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "- ") }

func isSeparator(line string) bool { return strings.HasPrefix(line, "---") }

// isBlank reports whether a line has nothing but a comment.
func isBlank(line string) bool {
	t := strings.TrimSpace(line)
	return t == "" || strings.HasPrefix(t, "#")
}

// commentsOf returns the lines of a manifest's comments, as the YAML parser finds them: a #
// within a text is none.
func commentsOf(data []byte) map[string]bool {
	found := map[string]bool{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return found
		}
		collectComments(&n, found)
	}
}

func collectComments(n *yaml.Node, found map[string]bool) {
	for _, text := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		for line := range strings.Lines(text) {
			found[strings.TrimSpace(line)] = true
		}
	}
	for _, c := range n.Content {
		collectComments(c, found)
	}
}
