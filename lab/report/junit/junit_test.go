package junit_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coalmine/lab/report/junit"
	"coalmine/lab/report/model"
	"coalmine/lab/report/reporttest"
)

func written(t testing.TB, d *model.Trial) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := junit.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// allowed are the elements of junit-10.xsd (jenkinsci/xunit-plugin, .../types/model/xsd) that a
// report uses: their attributes, which of them are required, and their content.
func allowed() map[string]struct{ attributes, required, children []string } {
	return map[string]struct{ attributes, required, children []string }{
		"testsuites": {words("name time tests failures errors"), nil, words("testsuite")},
		"testsuite": {words("name tests failures errors group time skipped timestamp hostname id package file log url"),
			words("name tests failures errors"), words("testsuite properties testcase system-out system-err")},
		"properties": {nil, nil, words("property")},
		"property":   {words("name value"), words("name value"), nil},
		"testcase": {words("name time classname group"), words("name"),
			words("skipped error failure system-out system-err")},
		"skipped":    {words("type message"), nil, nil},
		"error":      {words("type message"), nil, nil},
		"failure":    {words("type message"), nil, nil},
		"system-out": {nil, nil, nil},
	}
}

func words(s string) []string { return strings.Fields(s) }

// counted is what a document says of itself, and what it has.
type counted struct{ tests, failures, errors, skipped int }

// check validates a document against the schema.
func check(t interface{ Fatalf(string, ...any) }, data []byte) (said, held counted) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var path []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return said, held
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, data)
		}
		switch x := token.(type) {
		case xml.StartElement:
			checkElement(t, path, x)
			path = append(path, x.Name.Local)
			said.say(x)
			held.hold(x.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func checkElement(t interface{ Fatalf(string, ...any) }, path []string, x xml.StartElement) {
	rule, ok := allowed()[x.Name.Local]
	if !ok {
		t.Fatalf("there is an element %s", x.Name.Local)
	}
	if len(path) > 0 && !slices.Contains(allowed()[path[len(path)-1]].children, x.Name.Local) {
		t.Fatalf("%s stands in %s", x.Name.Local, path[len(path)-1])
	}
	for _, a := range x.Attr {
		if !slices.Contains(rule.attributes, a.Name.Local) {
			t.Fatalf("%s has an attribute %s", x.Name.Local, a.Name.Local)
		}
	}
	for _, name := range rule.required {
		if !slices.ContainsFunc(x.Attr, func(a xml.Attr) bool { return a.Name.Local == name }) {
			t.Fatalf("%s has no %s", x.Name.Local, name)
		}
	}
}

func (c *counted) say(x xml.StartElement) {
	if x.Name.Local != "testsuite" {
		return
	}
	for _, a := range x.Attr {
		n, _ := strconv.Atoi(a.Value)
		switch a.Name.Local {
		case "tests":
			c.tests = n
		case "failures":
			c.failures = n
		case "errors":
			c.errors = n
		case "skipped":
			c.skipped = n
		}
	}
}

func (c *counted) hold(name string) {
	switch name {
	case "testcase":
		c.tests++
	case "failure":
		c.failures++
	case "error":
		c.errors++
	case "skipped":
		c.skipped++
	}
}

func TestSchema(t *testing.T) {
	for name, c := range map[string]struct {
		trial *model.Trial
		want  counted
	}{
		"missed": {reporttest.Missed(), counted{tests: 4 + 6, failures: 2 + 5}},
		// mtls, which the healthy runs do not prove
		"caught":      {reporttest.Caught(), counted{tests: 4 + 6, failures: 1}},
		"false alarm": {reporttest.FalseAlarm(), counted{tests: 2 + 6, failures: 1 + 6}},
		"single":      {reporttest.Single(), counted{tests: 1, failures: 1}},
		"cut":         {reporttest.Cut(), counted{tests: 1 + 6, skipped: 1 + 6}},
		"empty":       {reporttest.Trial(), counted{tests: 6, skipped: 6}},
	} {
		said, held := check(t, written(t, c.trial))
		if said != held || held != c.want {
			t.Errorf("%s: it says %+v and holds %+v, want %+v", name, said, held, c.want)
		}
	}
}

func TestForeignTextStaysText(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		evil := rapid.OneOf(rapid.String(), rapid.SampledFrom(
			[]string{"]]>", `"/><failure/>`, "\x00\x01", "&bogus;", "<!DOCTYPE x>"})).Draw(r, "text")
		said, held := check(r, written(t, reporttest.Hostile("x"+evil)))
		if said != held {
			r.Fatalf("it says %+v and holds %+v", said, held)
		}
	})
}
