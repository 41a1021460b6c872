package guardrail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxErrors is how many findings an error lists. A file with more is broken as a whole, and nobody reads on.
const maxErrors = 50

// Errors is what is wrong with a set of manifests: at most maxErrors findings by file and line, of which the last counts
// those that were left out.
type Errors []Finding

// Error lists the findings, one on a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// sortFindings puts findings in order of file, line and field, and drops repetitions.
func sortFindings(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field),
			strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(findings)
}

// WholeSet is the file of a finding about the manifests as a whole, which has no line.
const WholeSet = "guardrails"

// asError makes the error of the findings, nil if there are none.
func asError(findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	findings = sortFindings(findings)
	if rest := len(findings) - maxErrors; rest > 0 {
		findings = append(findings[:maxErrors:maxErrors], Finding{
			Position: Position{File: WholeSet},
			Message:  fmt.Sprintf("%d more errors are not shown", rest),
			Hint:     "mend these first",
		})
	}
	return Errors(findings)
}
