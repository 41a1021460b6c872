// Package junit writes a trial in the XML form that build servers read as test results: a suite for
// the trial, with a case for each run of the learner's guardrails, for each item of the rubric, and
// for the check seeds.
//
// The form is that of the Jenkins xUnit plugin's schema (junit-10.xsd in jenkinsci/xunit-plugin),
// which others read too. It has no timestamp and no host, so that the same trial gives the same
// bytes; the times are those that a run lasted for its users.
package junit

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
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
	Time       string     `xml:"time,attr"`
	Properties []property `xml:"properties>property"`
	Cases      []testcase `xml:"testcase"`
	Out        string     `xml:"system-out,omitempty"`
	time       time.Duration
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr"`
	Skipped *problem `xml:"skipped"`
	Error   *problem `xml:"error"`
	Failure *problem `xml:"failure"`
	Out     string   `xml:"system-out,omitempty"`
}

type problem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// Write writes the trial.
func Write(w io.Writer, t *model.Trial) error {
	s := suite{Name: "coalmine " + t.Card.Scenario}
	s.property("scenario", t.Card.Scenario)
	s.property("outcome", t.Verdict().Outcome)
	if t.Card.MaxPoints > 0 {
		s.property("points", fmt.Sprintf("%d of %d", t.Card.Points, t.Card.MaxPoints))
	}
	s.property("provenance", model.Provenance(t.Card.Players))
	why := map[string]model.Explanation{}
	for _, r := range t.Learner() {
		why[r.Row.Run] = model.Explain(r)
	}
	for _, r := range t.Card.Runs {
		s.run(t.Card, r, why[r.Run])
	}
	played := slices.ContainsFunc(t.Card.Runs, func(r score.Row) bool { return r.Verdict != score.Inconclusive })
	for _, i := range t.Card.Items {
		s.item(t.Card.Scenario, i, played)
	}
	s.check(t.Card)
	for _, n := range t.AllNotes() {
		s.Out += format.Clean(n) + "\n"
	}
	return s.write(w)
}

// write writes a document with the suite alone.
func (s *suite) write(w io.Writer) error {
	s.Time = seconds(s.time)
	all := suites{Name: "coalmine", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suites: []suite{*s}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *suite) property(name, value string) {
	s.Properties = append(s.Properties, property{name, format.Clean(value)})
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

func (s *suite) add(c testcase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// run passes if the guardrails did what they are for. A run that says nothing about them is
// skipped, or is an error if the lab failed.
func (s *suite) run(card score.Card, r score.Row, why model.Explanation) {
	c := testcase{Name: format.Clean(r.Run), Class: format.Clean(card.Scenario) + ".runs",
		Time: seconds(time.Duration(r.End))}
	s.time += time.Duration(r.End)
	p := &problem{Message: r.Verdict.Text() + ": " + format.Clean(r.Reason), Type: string(r.Verdict)}
	switch {
	case r.Verdict.Good():
		c.Out = p.Message
	case r.Verdict == score.Inconclusive && card.Exit == score.ExitLabFailed:
		c.Error = p
	case r.Verdict == score.Inconclusive:
		p.Type = ""
		c.Skipped = p
	default:
		p.Text = fmt.Sprintf("first bad %s, noticed after %s, over after %s, harm %s",
			format.OptionalClock(r.FirstBad), format.OptionalDuration(r.MTTD),
			format.OptionalDuration(r.MTTR), format.Number(r.Harm))
		for _, f := range why.Facts {
			p.Text += "\n" + format.Clean(f.Line())
		}
		c.Failure = p
	}
	s.add(c)
}

// item passes with all of its points.
func (s *suite) item(scenario string, i score.Item, played bool) {
	c := testcase{Name: format.Clean(i.ID) + ": " + format.Clean(i.Title), Class: format.Clean(scenario) + ".rubric",
		Time: seconds(0)}
	p := &problem{Message: fmt.Sprintf("%d of %d points: %s", i.Points, i.Max, format.Clean(i.Reason)), Type: "points"}
	switch {
	case !played:
		p.Type = ""
		c.Skipped = p
	case i.Points < i.Max:
		for n, e := range i.Events {
			if n == maxRefs {
				p.Text += " …"
				break
			}
			p.Text += fmt.Sprintf(" %s event %d", format.Clean(e.Run), e.Seq)
		}
		p.Text = strings.TrimSpace(p.Text)
		c.Failure = p
	default:
		c.Out = p.Message
	}
	s.add(c)
}

// check is a case for the check seeds. It is skipped if they were not played.
func (s *suite) check(card score.Card) {
	k := card.Check
	if k == nil {
		return
	}
	c := testcase{Name: "check seeds", Class: format.Clean(card.Scenario) + ".seeds", Time: seconds(0)}
	p := &problem{Message: format.Clean(card.Reason), Type: "check-seeds"}
	switch {
	case len(k.Seeds) == 0:
		p.Type = ""
		c.Skipped = p
	case k.Confirmed():
		c.Out = p.Message
	default:
		for _, seed := range k.Seeds {
			if seed.Exit != score.ExitPassed {
				p.Text += fmt.Sprintf("%d: %s\n", seed.Seed, format.Clean(seed.Reason))
			}
		}
		c.Failure = p
	}
	s.add(c)
}

// maxRefs is how many events a failure names.
const maxRefs = 10
