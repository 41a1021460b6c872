package guardrail

import (
	"errors"
	"flag"
	"testing"

	"coalmine/lab/guardrail/guardrailtest"
)

var update = flag.Bool("update", false, "write the actual errors to testdata/cases")

// TestCases compares the errors of each case.
func TestCases(t *testing.T) {
	guardrailtest.RunCases(t, "testdata/cases/*.txtar", *update, func(files map[string][]byte) []string {
		_, err := Parse(files, testEnvironment())
		var lines []string
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
