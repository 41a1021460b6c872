// Package backend defines what the screens need from the program around them. Screens know events,
// timelines, cards and scenarios, but not how a run is played, where progress is kept, or what an
// editor is: cmd/coalmine implements these interfaces, and tests use package backendtest.
//
// Every method may block, so it is called from a tea.Cmd, never from a screen's Update.
package backend

import (
	"context"
	"os/exec"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
)

// Backend combines all interfaces, for screens that lead to one another.
type Backend struct {
	Player   Player
	Linter   Linter
	Editor   Editor
	Library  Library
	Progress Progress
	// Lessons leads through the course; nil if there is none.
	Lessons Lessons
}

// PlayRequest describes a trial.
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
	// Play starts a trial and returns at once. If ctx ends, the trial is closed as interrupted. An
	// error means that nothing started: the input is invalid.
	Play(context.Context, PlayRequest) (*RunningTrial, error)
}

// RunningTrial is a trial that is being played.
type RunningTrial struct {
	// Trial is filled by the feed: see [liverun.Feed].
	Trial *liverun.Trial
	Feed  *liverun.Feed
	// Guardrails are the manifests by file name, as they are played.
	Guardrails map[string][]byte
	// Folder is the run folder, for people.
	Folder string
}

// Linter checks guardrails as they are on the disk.
type Linter interface {
	Lint(ctx context.Context, scenario, guardrails string) ([]Finding, error)
}

// Finding is one result of the linter.
type Finding struct {
	// File is the file's name within the guardrails, "" for all of them; Line is counted from 1, 0
	// for none.
	File    string
	Line    int
	Error   bool // the guardrails cannot be run
	Note    bool // no fault of the guardrails
	Message string
}

// Editor opens a file of the learner's at a line; 0 is the first. The command takes over the
// terminal while it runs. If there is no editor, the error says what to do.
type Editor interface {
	Edit(path string, line int) (*exec.Cmd, error)
}

// Library lists the scenarios and creates workspaces.
type Library interface {
	// Scenarios returns all scenarios; with an error, those that can be read.
	Scenarios() ([]*scenario.Scenario, error)
	Briefing(scenario string) (scenario.Briefing, error)
	// Quiz returns the scenario's quiz, nil if there is none.
	Quiz(scenario string) (*scenario.Quiz, error)
	// Workspace returns the learner's folder for a scenario.
	Workspace(scenario string) (Workspace, error)
	// Start creates the workspace. It overwrites nothing: an existing folder is used as it is.
	Start(scenario string) (Workspace, error)
}

// Lessons is the course.
type Lessons interface {
	// Next returns the next lesson and how many of all are complete.
	Next() (name string, complete, all int, err error)
	// Learn leads through a lesson. The command takes over the terminal while it runs.
	Learn(name string) (*exec.Cmd, error)
}

// Workspace is a learner's folder.
type Workspace struct {
	// Dir is its path as shown to people and used in [PlayRequest].
	Dir string
	// Exists reports whether the folder exists. Files are the relative paths of the manifests in
	// it.
	Exists bool
	Files  []string
}

// Progress keeps the learner's progress. A note, for people, reports that part of it could not be
// kept.
type Progress interface {
	Load() (all map[string]progress.Entry, note string)
	// RecordTrial records a trial's card.
	RecordTrial(scenario string, c *score.Card) (e progress.Entry, note string)
	// RecordHints records how many hints were taken.
	RecordHints(scenario string, hints int) (e progress.Entry, note string)
	// RecordQuiz records the result of a quiz.
	RecordQuiz(scenario string, right, of int) (e progress.Entry, note string)
}
