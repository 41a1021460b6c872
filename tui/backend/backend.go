// Package backend says what the screens need from the program around them. They know events, timelines, cards and scenarios, but
// not how a run is played, where progress is kept, or what an editor is: cmd/coalmine implements these interfaces, and tests
// do with made-up ones.
//
// Every method may take its time, so it is called from a tea.Cmd, never from a screen's Update.
package backend

import (
	"context"
	"os/exec"

	"coalmine/lab/progress"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
)

// Backend is everything at once, for screens that lead from one to another.
type Backend struct {
	Player   Player
	Linter   Linter
	Editor   Editor
	Library  Library
	Progress Progress
}

// PlayRequest says what to play.
type PlayRequest struct {
	Scenario string
	// Guardrails is a folder, a file, or a variant of the scenario.
	Guardrails string
	// Seed is the first of Trials seeds.
	Seed   uint64
	Trials int
}

// Player plays trials.
type Player interface {
	// Play begins a trial and returns at once. When the context ends, the trial is closed as interrupted. An error means that
	// nothing began: the input is invalid.
	Play(context.Context, PlayRequest) (*RunningTrial, error)
}

// RunningTrial is a trial that is being played.
type RunningTrial struct {
	// Trial is filled by what comes over the feed: see [watch.Feed].
	Trial *liverun.Trial
	Feed  *liverun.Feed
	// Guardrails are the manifests by file name, as they are played.
	Guardrails map[string][]byte
	// Folder is where it is recorded, for people.
	Folder string
}

// Linter checks guardrails as they stand on the disk.
type Linter interface {
	Lint(ctx context.Context, scenario, guardrails string) ([]Finding, error)
}

// Finding is one remark of the linter.
type Finding struct {
	// File is the file's name within the guardrails, "" for all of them; Line is counted from 1, 0 for none.
	File    string
	Line    int
	Error   bool // the guardrails cannot be played
	Message string
}

// Editor opens a file of the learner's at a line; 0 is the first. The command takes over the terminal while it runs. An error
// says what to do where there is no editor.
type Editor interface {
	Edit(path string, line int) (*exec.Cmd, error)
}

// Library lists the scenarios and makes workspaces.
type Library interface {
	Scenarios() ([]*scenario.Scenario, error)
	Briefing(scenario string) (scenario.Briefing, error)
	// Quiz is the scenario's, nil where there is none.
	Quiz(scenario string) (*scenario.Quiz, error)
	// Workspace is the learner's folder for a scenario.
	Workspace(scenario string) (Workspace, error)
	// Start makes the workspace. It writes over nothing: a folder that is there is taken as it is.
	Start(scenario string) (Workspace, error)
}

// Workspace is a learner's folder.
type Workspace struct {
	// Dir is its path as people and [Request] write it.
	Dir string
	// Exists tells whether it was made. Files are the manifests in it by their paths within.
	Exists bool
	Files  []string
}

// Progress keeps what a learner has reached. A note is for people: that something of it could not be kept.
type Progress interface {
	Load() (all map[string]progress.Entry, note string)
	// RecordTrial takes a trial's card.
	RecordTrial(scenario string, c *score.Card) (e progress.Entry, note string)
	// RecordHints says that so many hints are known now.
	RecordHints(scenario string, hints int) (e progress.Entry, note string)
	// RecordQuiz takes the result of a quiz.
	RecordQuiz(scenario string, right, of int) (e progress.Entry, note string)
}
