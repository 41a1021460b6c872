package guardrail

import (
	"errors"
	"flag"
	"testing"

	"coalmine/lab/guardrail/guardrailtest"
)

var update = flag.Bool("update", false, "write the actual findings to testdata/cases")

// TestCases compares the errors and notes of each case.
func TestCases(t *testing.T) {
	guardrailtest.RunCases(t, "testdata/cases/*.txtar", *update, func(files map[string][]byte) []string {
		set, err := Parse(files, testEnvironment())
		var lines []string
		for _, f := range set.Notes {
			lines = append(lines, "note: "+f.String())
		}
		var found Errors
		switch {
		case errors.As(err, &found):
			for _, f := range found {
				lines = append(lines, "error: "+f.String())
			}
		case err != nil:
			lines = append(lines, "another error: "+err.Error())
		}
		return lines
	})
}
