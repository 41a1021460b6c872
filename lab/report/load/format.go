package loadreport

import (
	"fmt"
	"io"
	"strings"

	"coalmine/lab/report/junit"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen/results"
)

// Format is the form of a report.
type Format string

// Formats of a report.
const (
	FormatText     Format = "text"
	FormatJSON     Format = "json"
	FormatMarkdown Format = "md"
	FormatJUnit    Format = "junit"
)

// Formats lists all formats.
func Formats() []Format { return []Format{FormatText, FormatJSON, FormatMarkdown, FormatJUnit} }

// ParseFormat returns the format of a name.
func ParseFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if name == string(f) {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("there is no format %q: write one of %s", name, strings.Join(names, ", "))
}

// Test is a load test to report.
type Test struct {
	Results  *results.Results
	Verdicts []objective.Verdict
	// Err says why the test is incomplete or useless; nil if it is neither.
	Err error
}

// Write writes a test in a format. Of the options, width and colour are for text. Text and JSON do
// not contain the test's error: their caller reports it.
func (t Test) Write(w io.Writer, f Format, o Options) error {
	switch f {
	case FormatJSON:
		return WriteJSON(w, t.Results, t.Verdicts)
	case FormatMarkdown:
		return t.markdown(w, o)
	case FormatJUnit:
		return t.junit(w, o)
	}
	if err := Text(w, t.Results, o); err != nil {
		return err
	}
	return WriteVerdicts(w, t.Verdicts)
}

// junit writes a case for the test as a whole and one for each objective. An objective that cannot
// be decided is an error, because the command does not succeed either.
func (t Test) junit(w io.Writer, o Options) error {
	r := t.Results
	name := title(r)
	var text strings.Builder
	if err := Text(&text, r, Options{Objectives: o.Objectives}); err != nil {
		return err
	}
	suite := junit.Suite{Name: "coalmine load " + name, Out: text.String(),
		Properties: []junit.Property{{Name: "workload", Value: name}, {Name: "plan", Value: part(r)}}}
	sent := junit.Case{Name: "requests", Class: name + ".load", Time: r.Elapsed(),
		Message: plainText(summary(r, r.Sum(nil)))}
	for _, l := range r.Limits() {
		sent.Result, sent.Message = junit.Broken, plainText(limitText(l))
	}
	if t.Err != nil {
		sent.Result, sent.Message = junit.Broken, t.Err.Error()
	}
	suite.Cases = append(suite.Cases, sent)
	for _, v := range t.Verdicts {
		c := junit.Case{Name: v.Objective, Class: name + ".objectives", Message: string(v.State) + ": " + v.Objective}
		switch v.State {
		case objective.Violated:
			c.Result = junit.Failed
		case objective.Inconclusive:
			c.Result = junit.Broken
		}
		for _, condition := range v.Conditions {
			c.Text += condition.Sentence + "\n"
		}
		suite.Cases = append(suite.Cases, c)
	}
	return junit.WriteSuite(w, suite)
}

// plainText replaces the spaces at which lines of a page do not break.
func plainText(s string) string { return strings.ReplaceAll(s, noBreak, " ") }
