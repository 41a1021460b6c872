package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"coalmine/lab/verdict/score"
)

// loads CODE ARG... runs coalmine load against servers and wants this exit code. On a busy machine
// the generator may be late. Nothing is judged then, and the result is inconclusive, but requests
// and answers are the same.
func loads(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: loads CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := programExit(ts, append([]string{"coalmine", "load"}, args[1:]...))
	if late(ts) {
		want = score.ExitInconclusive
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// late reports whether the last output says that the generator was late.
func late(ts *testscript.TestScript) bool {
	text := strings.Join(strings.Fields(ts.ReadFile("stdout")), " ")
	return strings.Contains(text, "The generator sent a tenth of the requests")
}

// judges N REGEXP wants N lines of the last stdout to match: judgements, of which there are none if
// the generator was late.
func judges(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: judges N REGEXP")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if late(ts) {
		want = 0
	}
	got := regexp.MustCompile("(?m)"+args[1]).FindAllString(ts.ReadFile("stdout"), -1)
	if len(got) != want {
		ts.Fatalf("%d lines match %q, want %d", len(got), args[1], want)
	}
}

// loadCounts are the counts that do not depend on the speed of the machine.
type loadCounts struct {
	Accounts *loadCounts `json:"accounts"`
	Cells    []struct {
		Cohort, Route, Version             string
		Requests, Attempts, Failed, Denied int
		Limited, Refused, Wrong, Hit       int
	}
}

// samecounts A B compares the counts by cohort, route and version in two results that --save or
// --json has written.
func samecounts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samecounts A B")
	}
	var read [2]*loadCounts
	for i, name := range args {
		read[i] = new(loadCounts)
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), read[i]))
		if read[i].Accounts != nil {
			read[i] = read[i].Accounts
		}
		if len(read[i].Cells) == 0 {
			ts.Fatalf("%s has no counts", name)
		}
	}
	if d := cmp.Diff(read[0].Cells, read[1].Cells); d != "" {
		ts.Fatalf("%s and %s differ:\n%s", args[0], args[1], d)
	}
}
