// Package host says what the screens need from the program around them. They know events, timelines, cards and scenarios, but
// not how a run is played, where progress is kept, or what an editor is: cmd/coalmine implements these interfaces, and tests
// do with made-up ones.
//
// Every method may take its time, so it is called from a tea.Cmd, never from a screen's Update.
package host

import (
	"context"
	"os/exec"

	"coalmine/scenarios"
	"coalmine/tui/watch"
)

// Request says what to play.
type Request struct {
	Scenario string
	// Guardrails is a folder, a file, or a variant of the scenario.
	Guardrails string
	// Seed is the first of Trials seeds.
	Seed   uint64
	Trials int
}

// Player plays trials.
type Player interface {
	// Play begins a trial and returns at once: the trial that is going to be filled, and its feed. When the context ends, the
	// trial is closed as interrupted. An error means that nothing began: the input is invalid.
	Play(context.Context, Request) (*watch.Trial, *watch.Feed, error)
}

// Linter checks guardrails as they stand on the disk.
type Linter interface {
	Lint(ctx context.Context, scenario, guardrails string) ([]Finding, error)
}

// Finding is one remark of the linter.
type Finding struct {
	// Place is file:line.
	Place   string
	Error   bool // the guardrails cannot be played
	Message string
	Hint    string
}

// Editor opens a file of the learner's at a line; 0 is the first. The command takes over the terminal while it runs.
type Editor interface {
	Edit(path string, line int) (*exec.Cmd, error)
}

// Library lists the scenarios and makes workspaces.
type Library interface {
	Scenarios() ([]*scenarios.Scenario, error)
	Briefing(name string) (string, error)
	// Workspace returns the learner's folder for a scenario, and makes it where there is none.
	Workspace(name string) (dir string, err error)
}

// Progress keeps what a learner has reached.
type Progress interface {
	Load() (map[string]Best, error)
	Save(scenario string, b Best) error
}

// Best is the best trial of a scenario.
type Best struct {
	Solved          bool
	Points, Of      int
	Trials, HintsUp int
}
