package junit

import (
	"io"
	"strings"
	"time"

	"coalmine/lab/format"
)

// Suite is a suite of other tests than a trial's.
type Suite struct {
	Name       string
	Properties []Property
	Cases      []Case
	// Out is text for people.
	Out string
}

// Property is a fact about a suite.
type Property struct{ Name, Value string }

// Result is the result of a [Case]. The zero value is a test that passed.
type Result string

// Results of tests that did not pass: those that failed, and those that could not be decided.
const (
	Failed Result = "failure"
	Broken Result = "error"
)

// Case is a test with its result.
type Case struct {
	Name, Class string
	Time        time.Duration
	Result      Result
	// Message is one line; Text may have several.
	Message, Text string
}

// WriteSuite writes a suite in the form in which [Write] writes a trial.
func WriteSuite(w io.Writer, from Suite) error {
	s := suite{Name: format.Clean(from.Name), Out: lines(from.Out)}
	for _, p := range from.Properties {
		s.property(p.Name, p.Value)
	}
	for _, c := range from.Cases {
		s.time += c.Time
		t := testcase{Name: format.Clean(c.Name), Class: format.Clean(c.Class), Time: seconds(c.Time)}
		p := &problem{Message: format.Clean(c.Message), Type: string(c.Result), Text: lines(c.Text)}
		switch c.Result {
		case Failed:
			t.Failure = p
		case Broken:
			t.Error = p
		default:
			t.Out = strings.TrimSpace(p.Message + "\n" + p.Text)
		}
		s.add(t)
	}
	return s.write(w)
}

// lines cleans text line by line.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i, l := range all {
		all[i] = strings.TrimRight(format.Clean(l), " ")
	}
	return strings.Join(all, "\n")
}
