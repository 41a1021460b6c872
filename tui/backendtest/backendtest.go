// Package backendtest provides a fake backend and a driver for tests of screens. It plays nothing
// and writes nothing.
package backendtest

import (
	"context"
	"os/exec"
	"sync"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
	"coalmine/tui/backend"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
)

// Backend implements every interface of package backend.
type Backend struct {
	mu sync.Mutex
	// WorkspaceExists is set once the workspace was created; Findings are the linter's; Caught
	// decides which trial is played next.
	WorkspaceExists bool
	Findings        []backend.Finding
	Caught          bool
	// PlayErr is the player's error, EditErr the editor's; nil for none.
	PlayErr, EditErr error
	// Hold keeps trials unfinished: the feed stays open after the first events.
	Hold bool
	// Questions are those of the quiz; nil stands for two.
	Questions []scenario.Question
	// Entries are the progress.
	Entries map[string]progress.Entry
	// Note is returned with the progress.
	Note string

	calls []string
}

// New returns the backend of a new learner.
func New() *Backend { return &Backend{Entries: map[string]progress.Entry{}} }

// Interfaces returns the backend as screens take it.
func (h *Backend) Interfaces() backend.Backend {
	return backend.Backend{Player: h, Linter: h, Editor: h, Library: h, Progress: h}
}

func (h *Backend) record(call string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

// Calls returns a copy of the calls so far.
func (h *Backend) Calls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.calls...)
}

// SegmentScenario returns the scenario that can be played.
func SegmentScenario() *scenario.Scenario {
	s := liveruntest.Scenario()
	s.Topic, s.Level, s.Summary = "signals", 2, "A release breaks the checkout of some customers, and no number "+
		"about the whole shows it."
	s.Teaches = []string{"An average hides a segment that is small.",
		"A check of a segment needs a metric that knows the segment."}
	return s
}

// Scenarios implements [backend.Library].
func (h *Backend) Scenarios() ([]*scenario.Scenario, error) {
	return []*scenario.Scenario{
		{Name: "first-steps", Title: "The first steps", Topic: "rollout", Level: 1, Summary: "Everything at once.",
			Teaches: []string{"Steps."}},
		{Name: "locked-out", Title: "The label that locked the app out", Topic: "policy", Level: 3,
			Summary: "Nobody may come in."},
		SegmentScenario(),
		{Name: "silent", Title: "The checks that never had a value", Topic: "signals", Level: 1,
			Summary: "No value is no pass."},
	}, nil
}

// Briefing implements [backend.Library].
func (h *Backend) Briefing(string) (scenario.Briefing, error) {
	return scenario.Briefing{
		Text: "# The checkout that fails\n\nOn Tuesday the team released `v2`. **Every** light was green.\n\n" +
			"## Your task\n\n" +
			"1. stop `v2` by itself, while it has a quarter of the traffic at most, and\n2. promote `v3`.\n\n```\n" +
			"coalmine lint segment\n```\n\n" +
			"- Who is hurt?\n- How many are they?\n\n## What the team has\n\nSteps, a success rate of 99 % at least, " +
			"and a latency.\n",
		Hints: []scenario.Hint{{Title: "Where to look", Text: "Look at *premium*."}, {Text: "Count them first."},
			{Title: "Nearly", Text: "`min: 97`"}},
	}, nil
}

// Quiz implements [backend.Library].
func (h *Backend) Quiz(string) (*scenario.Quiz, error) {
	if h.Questions != nil {
		return &scenario.Quiz{Questions: h.Questions}, nil
	}
	return &scenario.Quiz{Questions: []scenario.Question{
		{Kind: scenario.KindSingle, Question: "What does the average show?",
			Options: []string{"75 %", "99.5 %", "98 %"}, Answers: []string{"B"},
			Why: "Two percent of a quarter is half a percent."},
		{Kind: scenario.KindSingle, Question: "What does Flagger do with no value?",
			Options: []string{"It passes.", "It fails the check."}, Answers: []string{"B"},
			Why: "No value is a failed check."},
	}}, nil
}

// Workspace implements [backend.Library].
func (h *Backend) Workspace(name string) (backend.Workspace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := backend.Workspace{Dir: name, Exists: h.WorkspaceExists}
	if h.WorkspaceExists {
		w.Files = []string{"canary.yaml", "metrics.yaml"}
	}
	return w, nil
}

// Start implements [backend.Library].
func (h *Backend) Start(name string) (backend.Workspace, error) {
	h.record("start " + name)
	h.mu.Lock()
	h.WorkspaceExists = true
	h.mu.Unlock()
	return h.Workspace(name)
}

// Lint implements [backend.Linter].
func (h *Backend) Lint(context.Context, string, string) ([]backend.Finding, error) {
	h.record("lint")
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Findings, nil
}

// Edit implements [backend.Editor].
func (h *Backend) Edit(path string, _ int) (*exec.Cmd, error) {
	h.record("edit " + path)
	return exec.Command(path), h.EditErr
}

// Play implements [backend.Player].
func (h *Backend) Play(ctx context.Context, q backend.PlayRequest) (*backend.RunningTrial, error) {
	h.record("play " + q.Guardrails)
	if h.PlayErr != nil {
		return nil, h.PlayErr
	}
	complete := liveruntest.Missed()
	if h.Caught {
		complete = liveruntest.Caught()
	}
	t := &liverun.Trial{Scenario: complete.Scenario, Title: complete.Title, Guardrails: q.Guardrails}
	for _, r := range complete.Runs {
		t.Runs = append(t.Runs, &liverun.Run{Name: r.Name, Role: r.Role, Seed: r.Seed, Version: r.Version})
	}
	feed := liverun.NewFeed(t)
	for i, r := range complete.Runs {
		feed.Begin(i)
		for _, e := range r.Rec.Events() {
			feed.Event(i, e)
		}
		if h.Hold {
			context.AfterFunc(ctx, func() { feed.Close(nil, "interrupted") })
			break
		}
		feed.End(i, "")
	}
	if !h.Hold {
		feed.Close(complete.Card, "")
	}
	return &backend.RunningTrial{Trial: t, Feed: feed, Folder: "runs/segment-1", Guardrails: map[string][]byte{
		"canary.yaml": []byte("kind: Canary\nmetadata:\n  name: checkout\nspec:\n  analysis:\n    interval: 30s\n" +
			"    threshold: 5\n    metrics:\n      - name: success-rate\n"),
	}}, nil
}

// Load implements [backend.Progress].
func (h *Backend) Load() (map[string]progress.Entry, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]progress.Entry{}
	for name, e := range h.Entries {
		all[name] = e
	}
	return all, h.Note
}

func (h *Backend) change(scenario string, change func(*progress.Entry)) (progress.Entry, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.Entries[scenario]
	change(&e)
	h.Entries[scenario] = e
	return e, ""
}

// RecordTrial implements [backend.Progress].
func (h *Backend) RecordTrial(scn string, c *score.Card) (progress.Entry, string) {
	return h.change(scn, func(e *progress.Entry) {
		e.AddTrial(c.Exit == score.ExitPassed, c.Points, c.MaxPoints, scenario.HintCost(e.Hints, c.MaxPoints))
	})
}

// RecordHints implements [backend.Progress].
func (h *Backend) RecordHints(scenario string, hints int) (progress.Entry, string) {
	return h.change(scenario, func(e *progress.Entry) { e.Hints = max(e.Hints, hints) })
}

// RecordQuiz implements [backend.Progress].
func (h *Backend) RecordQuiz(scenario string, right, of int) (progress.Entry, string) {
	return h.change(scenario, func(e *progress.Entry) { e.AddQuiz(right, of) })
}
