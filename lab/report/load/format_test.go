package loadreport_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"coalmine/lab/report/load"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
)

func write(t *testing.T, test loadreport.Test, f loadreport.Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := test.Write(&b, f, loadreport.Options{Objectives: objectives()}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// document is what build servers read of a JUnit document.
type document struct {
	Suites []struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
			Error *struct {
				Message string `xml:"message,attr"`
			} `xml:"error"`
		} `xml:"testcase"`
		Out string `xml:"system-out"`
	} `xml:"testsuite"`
}

func TestJUnit(t *testing.T) {
	verdicts := []objective.Verdict{
		{Objective: "p99<1s", State: objective.Met},
		{Objective: "errors<1%", State: objective.Violated,
			Conditions: []objective.Judged{{Sentence: "errors are 3 %"}, {Sentence: "<b>\x1b[2J"}}},
		{Objective: "route=checkout p99<1s", State: objective.Inconclusive},
	}
	limited := results.New(config(shop(t)))
	limited.Add(&loadgen.Outcome{Final: true, Failure: loadgen.FailurePorts})
	for name, c := range map[string]struct {
		test loadreport.Test
		want string // by case: passed, failed, or error
	}{
		"objectives":  {loadreport.Test{Results: incident(t), Verdicts: verdicts}, "P P F E"},
		"limit":       {loadreport.Test{Results: limited}, "E"},
		"interrupted": {loadreport.Test{Results: incident(t), Err: errors.New("interrupted")}, "E"},
	} {
		var d document
		text := write(t, c.test, loadreport.FormatJUnit)
		if err := xml.Unmarshal([]byte(text), &d); err != nil || len(d.Suites) != 1 {
			t.Fatalf("%s: error %v in\n%s", name, err, text)
		}
		s, failures, broken := d.Suites[0], 0, 0
		var got []string
		for _, x := range s.Cases {
			switch {
			case x.Failure != nil:
				failures++
				got = append(got, "F")
				if x.Failure.Message != "violated: errors<1%" || x.Failure.Text != "errors are 3 %\n<b>[2J\n" {
					t.Errorf("failure %+v", x.Failure)
				}
			case x.Error != nil:
				broken++
				got = append(got, "E")
			default:
				got = append(got, "P")
			}
		}
		if strings.Join(got, " ") != c.want || s.Tests != len(got) || s.Failures != failures || s.Errors != broken {
			t.Errorf("%s: %v, %d tests, %d failures, %d errors, want %s", name, got, s.Tests, s.Failures, s.Errors,
				c.want)
		}
		if !strings.Contains(s.Out, "hidden-segment") {
			t.Errorf("%s: no report in the output %q", name, s.Out)
		}
	}
}

func TestMarkdown(t *testing.T) {
	test := loadreport.Test{Results: incident(t)}
	golden(t, "incident.md", write(t, test, loadreport.FormatMarkdown))
	for state, want := range map[objective.State]string{objective.Met: "objectives met",
		objective.Violated: "objective violated", objective.Inconclusive: "inconclusive"} {
		test.Verdicts = []objective.Verdict{{Objective: "p99<1s", State: state}}
		got := write(t, test, loadreport.FormatMarkdown)
		if !strings.HasPrefix(got, "## Load test hidden-segment: "+want+"\n") ||
			!strings.Contains(got, fmt.Sprintf("\n| **%s** | p99\\<1s |", state)) {
			t.Errorf("report of %s:\n%s", state, got)
		}
	}
	test.Err = errors.New("interrupted")
	if got := write(t, test, loadreport.FormatMarkdown); !strings.Contains(got, "hidden-segment: incomplete\n") ||
		!strings.Contains(got, "\n> Note: interrupted\n") {
		t.Errorf("report of an interrupted test:\n%s", got)
	}
}

// Versions and errors are foreign text, which must not become markup.
func TestForeignTextInMarkdown(t *testing.T) {
	l := results.New(config(shop(t)))
	l.Add(&loadgen.Outcome{Final: true, Status: 500, Version: "<img>|[x](y)", Latency: time.Second})
	l.Add(&loadgen.Outcome{Final: true, Failure: loadgen.FailureReset, Detail: "reset <b>"})
	got := write(t, loadreport.Test{Results: l}, loadreport.FormatMarkdown)
	for _, markup := range []string{" <img>", "|[", " <b>"} {
		if strings.Contains(got, markup) {
			t.Errorf("%q in\n%s", markup, got)
		}
	}
	if !strings.Contains(got, "1 × reset ") {
		t.Errorf("no error in\n%s", got)
	}
}
