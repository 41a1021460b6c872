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

// Names of the runs.
const (
	// RunPromote releases a healthy version in steps, through all gates.
	RunPromote = "promote"
	// RunAbort releases a faulty version, which is rolled back.
	RunAbort = "abort"
	// RunMatch is an A/B test by header and cookie.
	RunMatch = "match"
	// RunStraight releases a faulty version without guardrails.
	RunStraight = "straight"
	// RunRefused releases a version that every gate refuses.
	RunRefused = "refused"
	// RunLimits has retries, timeouts and routes of a Server.
	RunLimits = "limits"
	// RunShort is not in the suite: see [Verdict].
	RunShort = "short"
)

// Names returns the runs of the suite, in the order in which they are played. Together they take
// about 20 minutes of a cluster's time.
func Names() []string {
	return []string{RunPromote, RunAbort, RunMatch, RunStraight, RunRefused, RunLimits}
}

// guardedRuns returns the runs with guardrails whose canary gets traffic.
func guardedRuns() []string { return []string{RunPromote, RunAbort, RunMatch} }

// Verdict returns how a run ended: "promoted", "rolled-back" or "undecided", or the outcome if that
// is not completed; "" for a log that was cut off. It is for tests that disturb a cluster on
// purpose: a run may end with the right verdict or as a fault of the lab, but not otherwise.
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

// approveAfter is when the run with the gate approve is approved: late enough for the gate to say
// no first.
const approveAfter = 12 * time.Second

//go:embed runs/*.txtar
var runFiles embed.FS

// Spec returns a run of the suite.
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
	if slices.Contains([]string{RunAbort, RunStraight, RunRefused}, name) {
		return s.Release.Faulty
	}
	return s.Release.Healthy
}

// Files returns the files of a run by name, its scenario and guardrails.
func Files(name string) (map[string][]byte, error) {
	data, err := runFiles.ReadFile("runs/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("there is no run %q: %w", name, err)
	}
	files := map[string][]byte{}
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = f.Data
	}
	return files, nil
}
