// Package exercise leads through one scenario: the briefing, the learner's files, the run on the deck, the card, and once more
// until it passes; hints and the quiz beside it.
//
// A [Lesson] is what these screens share. Its briefing stays on the window's stack as long as the lesson lasts, and takes the
// messages for all of them, so that each of them is taken once.
package exercise

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/progress"
	"coalmine/lab/report/model"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/tui/backend"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/screen"
)

// Seeds are what a lesson plays: the first and how many.
const (
	firstSeed = 1
	seedCount = 3
)

// Exercise is one scenario as it is being learned.
type Exercise struct {
	ctx      context.Context
	backend  backend.Backend
	scenario *scenario.Scenario
	entry    progress.Entry

	briefing  scenario.Briefing
	quiz      *scenario.Quiz
	workspace backend.Workspace
	loaded    bool
	// busy says what is waited for, note what is worth telling; "" for nothing.
	busy, notice string

	// findings are the linter's, once the files are checked; edited is set when the learner came back from the editor.
	findings []backend.Finding
	checked  bool
	edited   bool

	// width and height are the room for texts.
	width, height int

	playing *backend.RunningTrial
	cancel  context.CancelFunc
	// opening is set while the screens of a new trial are put up.
	opening bool
	// lastTrial is the last trial with a card, cost what its points were lowered by, before the points of the one before, -1 for none.
	lastTrial                *model.Trial
	files                    []model.File
	hintCost, previousPoints int
}

// New returns a lesson. The context ends what is being played.
func New(ctx context.Context, h backend.Backend, s *scenario.Scenario, e progress.Entry) *Exercise {
	return &Exercise{ctx: ctx, backend: h, scenario: s, entry: e, previousPoints: -1}
}

// Changed tells every screen that a scenario's entry in the logbook is another now.
type Changed struct {
	Scenario string
	Entry    progress.Entry
	Note     string
}

// The messages of a lesson's own work. Each names its lesson, since all screens hear of all messages.
type (
	opened struct {
		exercise  *Exercise
		briefing  scenario.Briefing
		quiz      *scenario.Quiz
		workspace backend.Workspace
		err       error
	}
	// began says that a trial is being played, or why not. Above is how many screens lie on the briefing, again whether one
	// was played before.
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

// open reads what the lesson is about.
func (l *Exercise) open() tea.Msg {
	m := opened{exercise: l}
	if m.briefing, m.err = l.backend.Library.Briefing(l.scenario.Name); m.err != nil {
		return m
	}
	if m.quiz, m.err = l.backend.Library.Quiz(l.scenario.Name); m.err != nil {
		return m
	}
	m.workspace, m.err = l.backend.Library.Workspace(l.scenario.Name)
	return m
}

// play makes the workspace where there is none, checks the guardrails, and begins a trial.
func (l *Exercise) play(above int, bench bool) tea.Cmd {
	if l.busy != "" {
		return nil
	}
	l.busy, l.notice, l.edited = "checking your guardrails", "", false
	return func() tea.Msg {
		m := began{exercise: l, above: above, fromEditor: bench}
		if m.workspace, m.err = l.backend.Library.Start(l.scenario.Name); m.err != nil {
			return m
		}
		if m.findings, m.err = l.backend.Linter.Lint(l.ctx, l.scenario.Name, m.workspace.Dir); m.err != nil || errorCount(m.findings) > 0 {
			return m
		}
		ctx, cancel := context.WithCancel(l.ctx)
		m.playing, m.err = l.backend.Player.Play(ctx, backend.PlayRequest{Scenario: l.scenario.Name, Guardrails: m.workspace.Dir, Seed: firstSeed, Trials: seedCount})
		if m.cancel = cancel; m.err != nil {
			cancel()
		}
		return m
	}
}

// errorCount counts findings that forbid a run.
func errorCount(all []backend.Finding) int {
	n := 0
	for _, f := range all {
		if f.Error {
			n++
		}
	}
	return n
}

// stop ends what is being played.
func (l *Exercise) stop() {
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// handle is the one place where a lesson hears of its work.
func (l *Exercise) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case opened:
		if msg.exercise == l {
			l.loaded = true
			l.briefing, l.quiz, l.workspace = msg.briefing, msg.quiz, msg.workspace
			l.setError(msg.err)
		}
	case began:
		if msg.exercise == l {
			return l.onBegan(msg)
		}
	case editing:
		if msg.exercise == l {
			l.setError(msg.err)
			return msg.open
		}
	case edited:
		if msg.exercise == l {
			l.setError(msg.err)
			l.checked, l.edited = false, msg.err == nil
			return l.check
		}
	case checked:
		if msg.exercise == l {
			l.workspace, l.findings, l.checked = msg.workspace, msg.findings, msg.err == nil
			l.setError(msg.err)
		}
	case Changed:
		if msg.Scenario == l.scenario.Name {
			l.entry, l.notice = msg.Entry, msg.Note
		}
	case liverun.Batch:
		return l.onBatch(msg)
	}
	return nil
}

func (l *Exercise) setError(err error) {
	if err != nil {
		l.notice = err.Error()
	}
}

// onBegan puts up the screens of a trial: the deck for the first one; after that the verdict is what one waits for.
func (l *Exercise) onBegan(m began) tea.Cmd {
	l.busy = ""
	if m.workspace.Exists {
		l.workspace = m.workspace
	}
	l.findings, l.checked = m.findings, m.err == nil
	if m.playing == nil {
		l.setError(m.err)
		if n := errorCount(m.findings); n > 0 {
			l.notice = fmt.Sprintf("not played: %s must be mended first", format.Plural(n, "error"))
		}
		if m.fromEditor || !l.workspace.Exists {
			return nil
		}
		return screen.Open(newEditor(l, m.above+1, l.suggestedFile()))
	}
	again := l.lastTrial != nil
	l.stop()
	l.playing, l.cancel, l.opening = m.playing, m.cancel, true
	var steps []tea.Cmd
	for range m.above {
		steps = append(steps, screen.Close)
	}
	t := m.playing.Trial
	steps = append(steps, screen.Open(deck.New(t, deck.Options{Run: t.DefaultRun(), Card: l.newCard})))
	if again {
		steps = append(steps, screen.Open(newWait(l)))
	}
	return tea.Batch(screen.Follow(m.playing.Feed), tea.Sequence(steps...))
}

// onBatch takes the end of the trial.
func (l *Exercise) onBatch(b liverun.Batch) tea.Cmd {
	if l.playing == nil || b.Trial != l.playing.Trial || !b.Last {
		return nil
	}
	l.stop()
	c := b.Trial.Card
	if c == nil {
		return nil
	}
	if l.lastTrial != nil {
		l.previousPoints = netPoints(&l.lastTrial.Card, l.hintCost)
	}
	l.lastTrial = &model.Trial{Scenario: l.scenario, Card: *c, Runs: results(b.Trial), Guardrails: l.playing.Guardrails}
	l.files = l.lastTrial.Files()
	l.hintCost = scenario.HintCost(l.entry.Hints, c.MaxPoints)
	name := l.scenario.Name
	return func() tea.Msg {
		e, note := l.backend.Progress.RecordTrial(name, c)
		return Changed{name, e, note}
	}
}

func netPoints(c *score.Card, cost int) int { return max(0, c.Points-cost) }

// results are the runs as reports take them.
func results(t *liverun.Trial) []score.RunResult {
	var all []score.RunResult
	for _, r := range t.Runs {
		if r.Rec != nil {
			all = append(all, score.RunResult{Name: r.Name, Role: r.Part, Timeline: r.Rec.Timeline()})
		}
	}
	return all
}

// check lints the files as they are now.
func (l *Exercise) check() tea.Msg {
	m := checked{exercise: l}
	if m.workspace, m.err = l.backend.Library.Workspace(l.scenario.Name); m.err != nil {
		return m
	}
	m.findings, m.err = l.backend.Linter.Lint(l.ctx, l.scenario.Name, m.workspace.Dir)
	return m
}

// edit opens a file of the workspace in the learner's editor.
func (l *Exercise) edit(file string, line int) tea.Cmd {
	path := l.workspace.Dir + "/" + file
	l.notice = ""
	return func() tea.Msg {
		c, err := l.backend.Editor.Edit(path, line)
		if err != nil {
			return editing{exercise: l, err: err}
		}
		return editing{exercise: l, open: tea.ExecProcess(c, func(err error) tea.Msg {
			if err != nil {
				err = fmt.Errorf("%s: %w", c.Path, err)
			}
			return edited{l, err}
		})}
	}
}

// suggestedFile is the file that most likely has to change: where something looked and saw nothing, else the first.
func (l *Exercise) suggestedFile() string {
	for _, f := range l.findings {
		if f.Error && slices.Contains(l.workspace.Files, f.File) {
			return f.File
		}
	}
	return l.fileForItem(nil)
}

// fileForItem is the file that a lost item points to first; nil stands for any of them.
func (l *Exercise) fileForItem(item *score.Item) string {
	best, file := 0, ""
	for _, f := range l.files {
		for _, n := range f.Notes {
			weight := int(n.Severity)
			if item != nil && strings.HasPrefix(n.Text, item.Title) {
				weight += 100
			}
			if weight > best && slices.Contains(l.workspace.Files, f.Name) {
				best, file = weight, f.Name
			}
		}
	}
	if file == "" && len(l.workspace.Files) > 0 {
		file = l.workspace.Files[0]
	}
	return file
}

// notes are what the last trial showed of a file's lines.
func (l *Exercise) notes(file string) []model.Note {
	for _, f := range l.files {
		if f.Name == file {
			return f.Notes
		}
	}
	return nil
}
