package export

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"

	"coalmine/lab/format"
	"coalmine/lab/teaching/grade"
)

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name       string     `xml:"name,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Time       string     `xml:"time,attr,omitempty"`
	Properties []property `xml:"properties>property"`
	Cases      []testcase `xml:"testcase"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr,omitempty"`
	Failure *problem `xml:"failure"`
	Error   *problem `xml:"error"`
	Out     string   `xml:"system-out,omitempty"`
}

type problem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
}

// JUnit returns a suite for each learner with a case for each scenario. A missed incident is a
// failure, a submission without a grade an error. The time is the real one, and left out unless it
// was recorded: only without it are the bytes the same twice. The virtual one is a property.
func JUnit(g *grade.Grading) ([]byte, error) {
	all := suites{Name: "coalmine grade"}
	for i := range g.Learners {
		s := suiteOf(&g.Learners[i])
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		all.Suites = append(all.Suites, s)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func suiteOf(l *grade.Learner) suite {
	s := suite{Name: l.Learner, Tests: len(l.Parts)}
	s.property("status", string(l.Status))
	if l.Status == grade.Graded {
		s.property("points", fmt.Sprintf("%d of %d", l.Points, l.Max))
	}
	var real, lasted float64
	for _, p := range l.Parts {
		lasted += p.Virtual
		c := testcase{Name: p.Scenario, Class: l.Learner}
		if p.Real > 0 {
			c.Time = strconv.FormatFloat(p.Real, 'f', 3, 64)
			real += p.Real
		}
		text := format.Clean(p.Reason)
		switch {
		case p.Status != grade.Graded:
			s.Errors++
			c.Error = &problem{"not graded: " + text, string(p.Cause)}
		case p.Outcome == grade.OutcomePassed:
			c.Out = text
		default:
			s.Failures++
			c.Failure = &problem{fmt.Sprintf("%d of %d points: %s", p.Points, p.Max, text), p.Outcome}
		}
		s.Cases = append(s.Cases, c)
	}
	if real > 0 {
		s.Time = strconv.FormatFloat(real, 'f', 3, 64)
	}
	if lasted > 0 {
		s.property("virtual time", virtual(lasted))
	}
	return s
}

func (s *suite) property(name, value string) {
	s.Properties = append(s.Properties, property{name, value})
}
