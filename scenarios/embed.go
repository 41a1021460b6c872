// Package scenarios is the library of scenarios as data: one folder for each, named as the
// scenario, and the JSON schemas of the files in them. Package lab/scenario loads it.
package scenarios

import (
	"embed"
	"io/fs"
)

//go:generate go run ../lab/scenario/schemagen ..
//go:embed */*.yaml */*.md */*/*.yaml
var library embed.FS

//go:embed schema.json
var scenarioSchema []byte

//go:embed workload.schema.json
var workloadSchema []byte

//go:embed quiz.schema.json
var quizSchema []byte

//go:embed workloads
var workloads embed.FS

// Library returns the scenarios that come with the binary: one folder for each, named as the
// scenario.
func Library() fs.FS { return library }

// Workloads returns the workloads that come with the binary: files named NAME.yaml.
func Workloads() fs.FS {
	sub, err := fs.Sub(workloads, "workloads")
	if err != nil {
		panic(err) // the path is valid
	}
	return sub
}

// Schemas returns the JSON schemas of files by their kind: scenario, workload and quiz.
func Schemas() map[string][]byte {
	return map[string][]byte{"scenario": scenarioSchema, "workload": workloadSchema, "quiz": quizSchema}
}
