package main

import (
	"encoding/json"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

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
