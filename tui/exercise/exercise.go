// Package exercise leads through one scenario: the briefing, the learner's files, the run on the
// deck, the card, and again until it passes, with hints and a quiz.
//
// An [Exercise] is the state that these screens share. Its briefing stays on the window's stack as
// long as the exercise lasts, and handles the messages for all of them, so that each message is
// handled once.
package exercise

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
	"coalmine/tui/backend"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/screen"
)

// An exercise plays seedCount seeds from firstSeed on.
const (
	firstSeed = 1
	seedCount = 3
)

// Exercise is the state of one scenario.
type Exercise struct {
	ctx      context.Context
	backend  backend.Backend
	scenario *scenario.Scenario
	entry    progress.Entry

	briefing  scenario.Briefing
	quiz      *scenario.Quiz
	workspace backend.Workspace
	loaded    bool
	// busy names what is in progress, notice is a message to show; "" for none.
	busy, notice string

	// findings are the linter's, valid if checked is set; edited is set when the learner has
	// returned from the editor.
	findings []backend.Finding
	checked  bool
	edited   bool

	// width and height are the size for texts.
	width, height int

	playing *backend.RunningTrial
	cancel  context.CancelFunc
	// opening is set while the screens of a new trial are being opened.
	opening bool
	// lastTrial is the last trial with a card, hintCost the deduction from its points,
	// previousPoints those of the trial before it, or -1.
	lastTrial                *model.Trial
	files                    []model.File
	hintCost, previousPoints int

	// given are the answers to questions of the quiz by their numbers, passed the checkpoints that the
	// learner went by.
	given  map[int]given
	passed []scenario.Checkpoint
}

// New returns an exercise. ctx ends its trials.
func New(ctx context.Context, h backend.Backend, s *scenario.Scenario, e progress.Entry) *Exercise {
	return &Exercise{ctx: ctx, backend: h, scenario: s, entry: e, previousPoints: -1}
}

// Changed tells every screen that a scenario's progress has changed.
type Changed struct {
	Scenario string
	Entry    progress.Entry
	Note     string
}

// Next asks the list of scenarios to open the one that comes next. The exercise is closed.
type Next struct{}

// The messages of an exercise's own work. Each names its exercise, since every screen receives
// every message.
type (
	opened struct {
		exercise  *Exercise
		briefing  scenario.Briefing
		quiz      *scenario.Quiz
		workspace backend.Workspace
		err       error
	}
	// began carries a trial that is being played, or why there is none. above is how many screens
	// lie above the briefing; fromEditor is set if the editor screen started the trial.
	began struct {
		exercise   *Exercise
		workspace  backend.Workspace
		playing    *backend.RunningTrial
		cancel     context.CancelFunc
		findings   []backend.Finding
		above      int
		fromEditor bool
		err        error
	}
	editing struct {
		exercise *Exercise
		open     tea.Cmd
		err      error
	}
	edited struct {
		exercise *Exercise
		err      error
	}
	checked struct {
		exercise  *Exercise
		workspace backend.Workspace
		findings  []backend.Finding
		err       error
	}
)

// open reads the scenario's texts and the workspace.
func (ex *Exercise) open() tea.Msg {
	m := opened{exercise: ex}
	if m.briefing, m.err = ex.backend.Library.Briefing(ex.scenario.Name); m.err != nil {
		return m
	}
	if m.quiz, m.err = ex.backend.Library.Quiz(ex.scenario.Name); m.err != nil {
		return m
	}
	m.workspace, m.err = ex.backend.Library.Workspace(ex.scenario.Name)
	return m
}

// play asks what has to be asked before the rollout, and starts a trial.
func (ex *Exercise) play(above int, fromEditor bool) tea.Cmd {
	if ex.busy != "" {
		return nil
	}
	return ex.predict(func() tea.Cmd { return ex.start(above, fromEditor) })
}

// start creates the workspace if there is none, lints the guardrails, and starts a trial.
func (ex *Exercise) start(above int, fromEditor bool) tea.Cmd {
	ex.busy, ex.notice, ex.edited = "checking your guardrails", "", false
	return func() tea.Msg {
		m := began{exercise: ex, above: above, fromEditor: fromEditor}
		if m.workspace, m.err = ex.backend.Library.Start(ex.scenario.Name); m.err != nil {
			return m
		}
		if m.findings, m.err = ex.backend.Linter.Lint(ex.ctx, ex.scenario.Name, m.workspace.Dir); m.err != nil ||
			errorCount(m.findings) > 0 {
			return m
		}
		ctx, cancel := context.WithCancel(ex.ctx)
		m.playing, m.err = ex.backend.Player.Play(ctx,
			backend.PlayRequest{Scenario: ex.scenario.Name, Guardrails: m.workspace.Dir, Seed: firstSeed,
				Trials: seedCount})
		if m.cancel = cancel; m.err != nil {
			cancel()
		}
		return m
	}
}

// errorCount counts the findings that prevent a run.
func errorCount(all []backend.Finding) int {
	n := 0
	for _, f := range all {
		if f.Error {
			n++
		}
	}
	return n
}

// stop ends the trial that is being played.
func (ex *Exercise) stop() {
	if ex.cancel != nil {
		ex.cancel()
		ex.cancel = nil
	}
}

// handle is the only place that handles the exercise's messages.
func (ex *Exercise) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case opened:
		if msg.exercise == ex {
			ex.loaded = true
			ex.briefing, ex.quiz, ex.workspace = msg.briefing, msg.quiz, msg.workspace
			ex.setError(msg.err)
		}
	case began:
		if msg.exercise == ex {
			return ex.onBegan(msg)
		}
	case editing:
		if msg.exercise == ex {
			ex.setError(msg.err)
			return msg.open
		}
	case edited:
		if msg.exercise == ex {
			ex.setError(msg.err)
			ex.checked, ex.edited = false, msg.err == nil
			return ex.check
		}
	case checked:
		if msg.exercise == ex {
			ex.workspace, ex.findings, ex.checked = msg.workspace, msg.findings, msg.err == nil
			ex.setError(msg.err)
		}
	case Changed:
		if msg.Scenario == ex.scenario.Name {
			ex.entry, ex.notice = msg.Entry, msg.Note
		}
	case liverun.Batch:
		return ex.onBatch(msg)
	}
	return nil
}

func (ex *Exercise) setError(err error) {
	if err != nil {
		ex.notice = err.Error()
	}
}

// onBegan opens the screens of a trial: the deck for the first one; later trials show their
// verdicts instead.
func (ex *Exercise) onBegan(m began) tea.Cmd {
	ex.busy = ""
	if m.workspace.Exists {
		ex.workspace = m.workspace
	}
	ex.findings, ex.checked = m.findings, m.err == nil
	if m.playing == nil {
		ex.setError(m.err)
		if n := errorCount(m.findings); n > 0 {
			ex.notice = fmt.Sprintf("not run: fix %s first", format.Plural(n, "error"))
		}
		if m.fromEditor || !ex.workspace.Exists {
			return nil
		}
		return screen.Open(newEditor(ex, m.above+1, ex.suggestedFile()))
	}
	again := ex.lastTrial != nil
	ex.stop()
	ex.playing, ex.cancel, ex.opening = m.playing, m.cancel, true
	var steps []tea.Cmd
	for range m.above {
		steps = append(steps, screen.Close)
	}
	t := m.playing.Trial
	steps = append(steps, screen.Open(deck.New(t, deck.Options{Run: t.DefaultRun(), Card: ex.verdict,
		Hold: ex.hold(t)})))
	if again {
		steps = append(steps, screen.Open(newWait(ex)))
	}
	return tea.Batch(screen.Follow(m.playing.Feed), tea.Sequence(steps...))
}

// onBatch handles the end of the trial.
func (ex *Exercise) onBatch(b liverun.Batch) tea.Cmd {
	if ex.playing == nil || b.Trial != ex.playing.Trial || !b.Last {
		return nil
	}
	ex.stop()
	c := b.Trial.Card
	if c == nil {
		return nil
	}
	if ex.lastTrial != nil {
		ex.previousPoints = netPoints(&ex.lastTrial.Card, ex.hintCost)
	}
	ex.lastTrial = &model.Trial{Scenario: ex.scenario, Card: *c, Runs: results(b.Trial),
		Guardrails: ex.playing.Guardrails}
	ex.files = ex.lastTrial.Files()
	ex.judgePredictions()
	ex.hintCost = scenario.HintCost(ex.entry.Hints, c.MaxPoints)
	name := ex.scenario.Name
	return func() tea.Msg {
		e, note := ex.backend.Progress.RecordTrial(name, c)
		return Changed{name, e, note}
	}
}

func netPoints(c *score.Card, cost int) int { return max(0, c.Points-cost) }

// results returns the runs in the form that reports take.
func results(t *liverun.Trial) []score.RunResult {
	var all []score.RunResult
	for _, r := range t.Runs {
		if r.Rec != nil {
			all = append(all, score.RunResult{Name: r.Name, Role: r.Role, Timeline: r.Rec.Timeline()})
		}
	}
	return all
}

// check lints the current files.
func (ex *Exercise) check() tea.Msg {
	m := checked{exercise: ex}
	if m.workspace, m.err = ex.backend.Library.Workspace(ex.scenario.Name); m.err != nil {
		return m
	}
	m.findings, m.err = ex.backend.Linter.Lint(ex.ctx, ex.scenario.Name, m.workspace.Dir)
	return m
}

// edit opens a file of the workspace in the learner's editor.
func (ex *Exercise) edit(file string, line int) tea.Cmd {
	path := ex.workspace.Dir + "/" + file
	ex.notice = ""
	return func() tea.Msg {
		c, err := ex.backend.Editor.Edit(path, line)
		if err != nil {
			return editing{exercise: ex, err: err}
		}
		return editing{exercise: ex, open: tea.Exec(editorCommand{c}, func(err error) tea.Msg {
			if err != nil {
				err = fmt.Errorf("%s: %w", c.Path, err)
			}
			return edited{ex, err}
		})}
	}
}

// suggestedFile returns the file that most likely needs a change: one with an error, else the one
// with the most severe note, else the first.
func (ex *Exercise) suggestedFile() string {
	for _, f := range ex.findings {
		if f.Error && slices.Contains(ex.workspace.Files, f.File) {
			return f.File
		}
	}
	return ex.fileForItem(nil)
}

// fileForItem returns the file with the most severe note on a lost item; nil stands for any item.
func (ex *Exercise) fileForItem(item *score.Item) string {
	best, file := 0, ""
	for _, f := range ex.files {
		for _, n := range f.Notes {
			weight := int(n.Severity)
			if item != nil && strings.HasPrefix(n.Text, item.Title) {
				weight += 100
			}
			if weight > best && slices.Contains(ex.workspace.Files, f.Name) {
				best, file = weight, f.Name
			}
		}
	}
	if file == "" && len(ex.workspace.Files) > 0 {
		file = ex.workspace.Files[0]
	}
	return file
}

// notes returns what the last trial showed about the lines of a file.
func (ex *Exercise) notes(file string) []model.Note {
	for _, f := range ex.files {
		if f.Name == file {
			return f.Notes
		}
	}
	return nil
}
