// Package lesson leads through one scenario: the briefing, the learner's files, the run on the deck, the card, and once more
// until it passes; hints and the quiz beside it.
//
// A [Lesson] is what these screens share. Its briefing stays on the window's stack as long as the lesson lasts, and takes the
// messages for all of them, so that each of them is taken once.
package lesson

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/logbook"
	"coalmine/lab/report/dossier"
	"coalmine/lab/score"
	"coalmine/scenarios"
	"coalmine/tui/deck"
	"coalmine/tui/host"
	"coalmine/tui/screen"
	"coalmine/tui/watch"
)

// Seeds are what a lesson plays: the first and how many.
const (
	firstSeed = 1
	seeds     = 3
)

// Lesson is one scenario as it is being learned.
type Lesson struct {
	ctx      context.Context
	host     host.Host
	scenario *scenarios.Scenario
	entry    logbook.Entry

	briefing scenarios.Briefing
	quiz     *scenarios.Quiz
	space    host.Workspace
	read     bool
	// busy says what is waited for, note what is worth telling; "" for nothing.
	busy, note string

	// findings are the linter's, once the files are checked; edited is set when the learner came back from the editor.
	findings []host.Finding
	checked  bool
	edited   bool

	// width and height are the room for texts.
	width, height int

	playing *host.Playing
	cancel  context.CancelFunc
	// opening is set while the screens of a new trial are put up.
	opening bool
	// scored is the last trial with a card, cost what its points were lowered by, before the points of the one before, -1 for none.
	scored       *dossier.Trial
	files        []dossier.File
	cost, before int
}

// New returns a lesson. The context ends what is being played.
func New(ctx context.Context, h host.Host, s *scenarios.Scenario, e logbook.Entry) *Lesson {
	return &Lesson{ctx: ctx, host: h, scenario: s, entry: e, before: -1}
}

// Changed tells every screen that a scenario's entry in the logbook is another now.
type Changed struct {
	Scenario string
	Entry    logbook.Entry
	Note     string
}

// The messages of a lesson's own work. Each names its lesson, since all screens hear of all messages.
type (
	opened struct {
		of       *Lesson
		briefing scenarios.Briefing
		quiz     *scenarios.Quiz
		space    host.Workspace
		err      error
	}
	// began says that a trial is being played, or why not. Above is how many screens lie on the briefing, again whether one
	// was played before.
	began struct {
		of       *Lesson
		space    host.Workspace
		playing  *host.Playing
		cancel   context.CancelFunc
		findings []host.Finding
		above    int
		bench    bool
		err      error
	}
	editing struct {
		of   *Lesson
		open tea.Cmd
		err  error
	}
	edited struct {
		of  *Lesson
		err error
	}
	checked struct {
		of       *Lesson
		space    host.Workspace
		findings []host.Finding
		err      error
	}
)

// open reads what the lesson is about.
func (l *Lesson) open() tea.Msg {
	m := opened{of: l}
	if m.briefing, m.err = l.host.Library.Briefing(l.scenario.Name); m.err != nil {
		return m
	}
	if m.quiz, m.err = l.host.Library.Quiz(l.scenario.Name); m.err != nil {
		return m
	}
	m.space, m.err = l.host.Library.Workspace(l.scenario.Name)
	return m
}

// play makes the workspace where there is none, checks the guardrails, and begins a trial.
func (l *Lesson) play(above int, bench bool) tea.Cmd {
	if l.busy != "" {
		return nil
	}
	l.busy, l.note, l.edited = "checking your guardrails", "", false
	return func() tea.Msg {
		m := began{of: l, above: above, bench: bench}
		if m.space, m.err = l.host.Library.Start(l.scenario.Name); m.err != nil {
			return m
		}
		if m.findings, m.err = l.host.Linter.Lint(l.ctx, l.scenario.Name, m.space.Dir); m.err != nil || broken(m.findings) > 0 {
			return m
		}
		ctx, cancel := context.WithCancel(l.ctx)
		m.playing, m.err = l.host.Player.Play(ctx, host.Request{Scenario: l.scenario.Name, Guardrails: m.space.Dir, Seed: firstSeed, Trials: seeds})
		if m.cancel = cancel; m.err != nil {
			cancel()
		}
		return m
	}
}

// broken counts findings that forbid a run.
func broken(all []host.Finding) int {
	n := 0
	for _, f := range all {
		if f.Error {
			n++
		}
	}
	return n
}

// stop ends what is being played.
func (l *Lesson) stop() {
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// take is the one place where a lesson hears of its work.
func (l *Lesson) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case opened:
		if msg.of == l {
			l.read = true
			l.briefing, l.quiz, l.space = msg.briefing, msg.quiz, msg.space
			l.trouble(msg.err)
		}
	case began:
		if msg.of == l {
			return l.begin(msg)
		}
	case editing:
		if msg.of == l {
			l.trouble(msg.err)
			return msg.open
		}
	case edited:
		if msg.of == l {
			l.trouble(msg.err)
			l.checked, l.edited = false, msg.err == nil
			return l.check
		}
	case checked:
		if msg.of == l {
			l.space, l.findings, l.checked = msg.space, msg.findings, msg.err == nil
			l.trouble(msg.err)
		}
	case Changed:
		if msg.Scenario == l.scenario.Name {
			l.entry, l.note = msg.Entry, msg.Note
		}
	case watch.Batch:
		return l.news(msg)
	}
	return nil
}

func (l *Lesson) trouble(err error) {
	if err != nil {
		l.note = err.Error()
	}
}

// begin puts up the screens of a trial: the deck for the first one; after that the verdict is what one waits for.
func (l *Lesson) begin(m began) tea.Cmd {
	l.busy = ""
	if m.space.There {
		l.space = m.space
	}
	l.findings, l.checked = m.findings, m.err == nil
	if m.playing == nil {
		l.trouble(m.err)
		if n := broken(m.findings); n > 0 {
			l.note = fmt.Sprintf("not played: %s must be mended first", plural(n, "error"))
		}
		if m.bench || !l.space.There {
			return nil
		}
		return screen.Open(newBench(l, m.above+1, l.firstFile()))
	}
	again := l.scored != nil
	l.stop()
	l.playing, l.cancel, l.opening = m.playing, m.cancel, true
	var steps []tea.Cmd
	for range m.above {
		steps = append(steps, screen.Close)
	}
	t := m.playing.Trial
	steps = append(steps, screen.Open(deck.New(t, deck.Options{Run: t.First(), Card: l.newCard})))
	if again {
		steps = append(steps, screen.Open(newWait(l)))
	}
	return tea.Batch(screen.Follow(m.playing.Feed), tea.Sequence(steps...))
}

// news takes the end of the trial.
func (l *Lesson) news(b watch.Batch) tea.Cmd {
	if l.playing == nil || b.Trial != l.playing.Trial || !b.Last {
		return nil
	}
	l.stop()
	c := b.Trial.Card
	if c == nil {
		return nil
	}
	if l.scored != nil {
		l.before = net(&l.scored.Card, l.cost)
	}
	l.scored = &dossier.Trial{Scenario: l.scenario, Card: *c, Runs: results(b.Trial), Guardrails: l.playing.Guardrails}
	l.files = l.scored.Files()
	l.cost = scenarios.HintCost(l.entry.Hints, c.MaxPoints)
	name := l.scenario.Name
	return func() tea.Msg {
		e, note := l.host.Progress.Played(name, c)
		return Changed{name, e, note}
	}
}

func net(c *score.Card, cost int) int { return max(0, c.Points-cost) }

// results are the runs as reports take them.
func results(t *watch.Trial) []score.RunResult {
	var all []score.RunResult
	for _, r := range t.Runs {
		if r.Rec != nil {
			all = append(all, score.RunResult{Name: r.Name, Part: r.Part, Timeline: r.Rec.Timeline()})
		}
	}
	return all
}

// check lints the files as they are now.
func (l *Lesson) check() tea.Msg {
	m := checked{of: l}
	if m.space, m.err = l.host.Library.Workspace(l.scenario.Name); m.err != nil {
		return m
	}
	m.findings, m.err = l.host.Linter.Lint(l.ctx, l.scenario.Name, m.space.Dir)
	return m
}

// edit opens a file of the workspace in the learner's editor.
func (l *Lesson) edit(file string, line int) tea.Cmd {
	path := l.space.Dir + "/" + file
	l.note = ""
	return func() tea.Msg {
		c, err := l.host.Editor.Edit(path, line)
		if err != nil {
			return editing{of: l, err: err}
		}
		return editing{of: l, open: tea.ExecProcess(c, func(err error) tea.Msg {
			if err != nil {
				err = fmt.Errorf("%s: %w", c.Path, err)
			}
			return edited{l, err}
		})}
	}
}

// firstFile is the file that most likely has to change: where something looked and saw nothing, else the first.
func (l *Lesson) firstFile() string {
	for _, f := range l.findings {
		if f.Error && slices.Contains(l.space.Files, f.File) {
			return f.File
		}
	}
	return l.pointed(nil)
}

// pointed is the file that a lost item points to first; nil stands for any of them.
func (l *Lesson) pointed(item *score.Item) string {
	best, file := 0, ""
	for _, f := range l.files {
		for _, n := range f.Notes {
			weight := int(n.Tone)
			if item != nil && strings.HasPrefix(n.Text, item.Title) {
				weight += 100
			}
			if weight > best && slices.Contains(l.space.Files, f.Name) {
				best, file = weight, f.Name
			}
		}
	}
	if file == "" && len(l.space.Files) > 0 {
		file = l.space.Files[0]
	}
	return file
}

// notes are what the last trial showed of a file's lines.
func (l *Lesson) notes(file string) []dossier.Note {
	for _, f := range l.files {
		if f.Name == file {
			return f.Notes
		}
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
