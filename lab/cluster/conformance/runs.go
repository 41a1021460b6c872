package conformance

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// Names of the flights.
const (
	// RunPromote releases a healthy version in steps, through all gates.
	RunPromote = "promote"
	// RunAbort releases a faulty version, which is rolled back.
	RunAbort = "abort"
	// RunMatch is an A/B test by header and cookie.
	RunMatch = "match"
	// RunStraight releases a faulty version without guardrails.
	RunStraight = "straight"
	// RunShort is none of the suite's: see [Verdict].
	RunShort = "short"
)

// Names are the flights of the suite, in the order in which they are played. Together they take about a quarter of an hour of a
// cluster's time.
func Names() []string { return []string{RunPromote, RunAbort, RunMatch, RunStraight} }

// guardedRuns are the flights with guardrails.
func guardedRuns() []string { return []string{RunPromote, RunAbort, RunMatch} }

// Verdict says in one word how a log ended: "promoted", "rolled-back" or "undecided", or the outcome of the run where that is another
// than completed; "" for a log that was cut off. It is for those who disturb a cluster on purpose: its runs may end with the right
// verdict or as a fault of the lab, and never otherwise.
func Verdict(events []event.Event) string {
	t := timeline.Build(events)
	switch {
	case t.End.Outcome != event.OutcomeCompleted:
		return t.End.Outcome
	case t.Abort.Happened():
		return "rolled-back"
	case t.Promoted.Happened():
		return "promoted"
	}
	return "undecided"
}

// approveAfter is when somebody says yes in the flight that asks for it: late enough that the gate says no first.
const approveAfter = 12 * time.Second

//go:embed flights/*.txtar
var runFiles embed.FS

// Spec returns a flight of the suite.
func Spec(name string, seed uint64) (cluster.RunSpec, error) {
	files, err := Files(name)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	file := path.Join(name, scenario.FileScenario)
	s, err := scenario.Load(fstest.MapFS{file: {Data: files[scenario.FileScenario]}}, name)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	f := cluster.RunSpec{Scenario: s, Version: versionOf(name, s), Seed: seed, ApproveAfter: -1}
	if name == RunPromote {
		f.ApproveAfter = approveAfter
	}
	manifests := maps.Clone(files)
	delete(manifests, scenario.FileScenario)
	if len(manifests) > 0 {
		f.Guardrails, err = guardrail.Parse(manifests, guardrail.EnvironmentOf(s))
	}
	return f, err
}

func versionOf(name string, s *scenario.Scenario) string {
	if slices.Contains([]string{RunAbort, RunStraight}, name) {
		return s.Release.Faulty
	}
	return s.Release.Healthy
}

// Files are the scenario and the guardrails of a flight by name, to be written into a folder.
func Files(name string) (map[string][]byte, error) {
	data, err := runFiles.ReadFile("flights/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("there is no flight %q: %w", name, err)
	}
	files := map[string][]byte{}
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = f.Data
	}
	return files, nil
}
