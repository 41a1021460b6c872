package main

import (
	"encoding/json"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// accountsOf are the counts that do not depend on how fast a machine is.
type accountsOf struct {
	Accounts *accountsOf `json:"accounts"`
	Cells    []struct {
		Cohort, Route, Version             string
		Requests, Attempts, Failed, Denied int
		Limited, Refused, Wrong, Hit       int
	}
}

// samecounts A B wants the same counts of each cohort, route and version in two accounts, as --save or --json has written them.
func samecounts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samecounts A B")
	}
	var read [2]*accountsOf
	for i, name := range args {
		read[i] = new(accountsOf)
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
