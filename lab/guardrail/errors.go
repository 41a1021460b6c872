package guardrail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxErrors is the number of findings that an error lists.
const maxErrors = 50

// Errors are the errors in a set of manifests, ordered by file and line. There are at most
// maxErrors; if more were found, one additional finding says how many are not shown.
type Errors []Finding

// Error returns the findings, one on a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// SortFindings orders findings by file, line, field and message, and drops repetitions.
func SortFindings(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field),
			strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(findings)
}

// WholeSet is the file of a finding about the manifests as a whole.
const WholeSet = "guardrails"

// asError returns the findings as Errors, or nil if there are none.
func asError(findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	findings = SortFindings(findings)
	if rest := len(findings) - maxErrors; rest > 0 {
		findings = append(findings[:maxErrors:maxErrors], Finding{
			Position: Position{File: WholeSet},
			Message:  fmt.Sprintf("%d more errors are not shown", rest),
			Hint:     "correct these first",
		})
	}
	return Errors(findings)
}

// Errors with a name, which lint documents as rules.
const (
	RuleSeveralHeaders = "several-headers"
	RuleMatchURI       = "match-uri"
	RuleInvalidHost    = "invalid-host"
)
