package clustertest

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/timeline"
	"coalmine/scenarios"
)

// Names of the flights.
const (
	// FlightPromote releases a healthy version in steps, through all gates.
	FlightPromote = "promote"
	// FlightAbort releases a faulty version, which is rolled back.
	FlightAbort = "abort"
	// FlightMatch is an A/B test by header and cookie.
	FlightMatch = "match"
	// FlightStraight releases a faulty version without guardrails.
	FlightStraight = "straight"
	// FlightShort is none of the suite's: see [Verdict].
	FlightShort = "short"
)

// Names are the flights of the suite, in the order in which they are played. Together they take about a quarter of an hour of a
// cluster's time.
func Names() []string { return []string{FlightPromote, FlightAbort, FlightMatch, FlightStraight} }

// guarded are the flights with guardrails.
func guarded() []string { return []string{FlightPromote, FlightAbort, FlightMatch} }

// Verdict says in one word how a log ended: "promoted", "rolled-back" or "undecided", or the outcome of the run where that is another
// than completed; "" for a log that was cut off. It is for those who disturb a cluster on purpose: its runs may end with the right
// verdict or as a fault of the lab, and never otherwise.
func Verdict(events []event.Event) string {
	t := timeline.Build(events)
	switch {
	case t.End.Outcome != event.OutcomeCompleted:
		return t.End.Outcome
	case t.Abort.Seen():
		return "rolled-back"
	case t.Promoted.Seen():
		return "promoted"
	}
	return "undecided"
}

// approval is when somebody says yes in the flight that asks for it: late enough that the gate says no first.
const approval = 12 * time.Second

//go:embed flights/*.txtar
var flights embed.FS

// Flight returns a flight of the suite.
func Flight(name string, seed uint64) (lab.Flight, error) {
	files, err := Files(name)
	if err != nil {
		return lab.Flight{}, err
	}
	s, err := scenarios.Parse(name+"/"+scenarios.FileScenario, files[scenarios.FileScenario])
	if err != nil {
		return lab.Flight{}, err
	}
	f := lab.Flight{Scenario: s, Version: version(name, s), Seed: seed, ApproveAfter: -1}
	if name == FlightPromote {
		f.ApproveAfter = approval
	}
	manifests := maps.Clone(files)
	delete(manifests, scenarios.FileScenario)
	if len(manifests) > 0 {
		f.Guardrails, err = guardrail.Parse(manifests, lab.Environment(s))
	}
	return f, err
}

func version(name string, s *scenarios.Scenario) string {
	if slices.Contains([]string{FlightAbort, FlightStraight}, name) {
		return s.Release.Faulty
	}
	return s.Release.Healthy
}

// Files are the scenario and the guardrails of a flight by name, to be written into a folder.
func Files(name string) (map[string][]byte, error) {
	data, err := flights.ReadFile("flights/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("there is no flight %q: %w", name, err)
	}
	files := map[string][]byte{}
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = f.Data
	}
	return files, nil
}
