package exercise

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/quizexpr"
	"coalmine/lab/teaching/quiz"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/recording"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// given is an answer with the question as it was, or will be, graded.
type given struct {
	quiz.Asked
	text string
	// shown is set for a prediction that was compared with the run.
	shown bool
}

// take keeps an answer, and reports whether it is right.
func (ex *Exercise) take(q quiz.Asked, text string) bool {
	if ex.given == nil {
		ex.given = map[int]given{}
	}
	ex.given[q.Number] = given{Asked: q, text: text}
	return q.Check(text)
}

// facts are what the runs of the last trial that ended say, nil before.
func (ex *Exercise) facts() *quizexpr.Facts {
	if ex.lastTrial == nil {
		return nil
	}
	return quiz.Facts(ex.scenario, ex.lastTrial.Runs, &ex.lastTrial.Card)
}

// quizQuestions are the questions of the quiz whose moment has come and which were not answered at
// their checkpoints.
func (ex *Exercise) quizQuestions() []quiz.Asked {
	return slices.DeleteFunc(quiz.Resolve(ex.quiz, ex.facts()), func(a quiz.Asked) bool {
		_, answered := ex.given[a.Number]
		return a.Open != "" || a.At != "" && (answered || ex.lastTrial == nil)
	})
}

// waitingText says which questions of the quiz were not asked.
func (ex *Exercise) waitingText() string {
	n := 0
	for _, a := range quiz.Resolve(ex.quiz, ex.facts()) {
		if _, answered := ex.given[a.Number]; !answered && (a.Open != "" || a.At != "") {
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case ex.lastTrial == nil:
		return format.Plural(n, "more question") + " will come with your run."
	}
	return format.Plural(n, "question") + " could not be answered from your run."
}

// quizScore counts the answers that can be graded.
func (ex *Exercise) quizScore() (right, of int) {
	for _, g := range ex.given {
		if g.Open != "" {
			continue
		}
		of++
		if g.Check(g.text) {
			right++
		}
	}
	return right, of
}

func (ex *Exercise) recordQuiz() tea.Cmd {
	right, of := ex.quizScore()
	if of == 0 {
		return nil
	}
	return func() tea.Msg {
		e, note := ex.backend.Progress.RecordQuiz(ex.scenario.Name, right, of)
		return Changed{ex.scenario.Name, e, note}
	}
}

// pending are the questions of a checkpoint that were neither answered nor passed. Predictions are
// open until the run.
func (ex *Exercise) pending(at scenario.Checkpoint, facts *quizexpr.Facts) []quiz.Asked {
	if len(ex.unanswered(at)) == 0 {
		return nil
	}
	return slices.DeleteFunc(quiz.At(quiz.Resolve(ex.quiz, facts), at), func(a quiz.Asked) bool {
		_, answered := ex.given[a.Number]
		return answered || a.Open != "" && at != scenario.CheckpointPredict
	})
}

// unanswered are the questions of a checkpoint that has not been passed, also those that cannot be
// asked about the run.
func (ex *Exercise) unanswered(at scenario.Checkpoint) []scenario.Question {
	if ex.quiz == nil || slices.Contains(ex.passed, at) {
		return nil
	}
	var all []scenario.Question
	for i, q := range ex.quiz.Questions {
		if _, answered := ex.given[i+1]; q.At == at && !answered {
			all = append(all, q)
		}
	}
	return all
}

// isGate reports whether a question has to be answered before anything else.
func isGate(q scenario.Question) bool { return q.Gate }

// gated reports whether one of the questions is a gate.
func gated(all []quiz.Asked) bool {
	return slices.ContainsFunc(all, func(a quiz.Asked) bool { return isGate(a.Question) })
}

// predict asks the questions before the rollout, and then goes on.
func (ex *Exercise) predict(then func() tea.Cmd) tea.Cmd {
	asked := ex.pending(scenario.CheckpointPredict, nil)
	if len(asked) == 0 {
		return then()
	}
	return screen.Open(&quizPage{exercise: ex, asked: asked, checkpoint: scenario.CheckpointPredict,
		next: func() tea.Cmd { return tea.Sequence(screen.Close, then()) }})
}

// judgePredictions grades the predictions by the trial that has ended.
func (ex *Exercise) judgePredictions() {
	if ex.quiz == nil {
		return
	}
	for _, a := range quiz.Resolve(ex.quiz, ex.facts()) {
		if g, ok := ex.given[a.Number]; ok && a.At == scenario.CheckpointPredict && !g.shown {
			g.Asked = a
			ex.given[a.Number] = g
		}
	}
}

// hold stops the deck at the first failed check, as long as there are questions about it.
func (ex *Exercise) hold(t *liverun.Trial) func(*recording.Recording) *deck.Hold {
	return func(r *recording.Recording) *deck.Hold {
		unanswered := ex.unanswered(scenario.CheckpointFailedCheck)
		if len(unanswered) == 0 || !r.Timeline().Released.Happened() {
			return nil
		}
		for _, c := range r.Timeline().Changes {
			if c.Failed() {
				return &deck.Hold{At: c.At, Gate: slices.ContainsFunc(unanswered, isGate),
					Open: func() tea.Cmd { return ex.askFailedCheck(t, r) }}
			}
		}
		return nil
	}
}

// askFailedCheck opens the questions about the first failed check; nil if none can be asked.
func (ex *Exercise) askFailedCheck(t *liverun.Trial, r *recording.Recording) tea.Cmd {
	var facts *quizexpr.Facts
	if r.Complete() {
		facts = quiz.Facts(ex.scenario, completeRuns(t), nil)
	}
	asked := ex.pending(scenario.CheckpointFailedCheck, facts)
	if len(asked) == 0 {
		ex.passed = append(ex.passed, scenario.CheckpointFailedCheck)
		return nil
	}
	return screen.Open(&quizPage{exercise: ex, asked: asked, checkpoint: scenario.CheckpointFailedCheck,
		next: func() tea.Cmd { return screen.CloseWith(deck.Resume{Trial: t}) }})
}

// completeRuns are the results of the runs that have ended.
func completeRuns(t *liverun.Trial) []score.RunResult {
	var all []score.RunResult
	for _, r := range t.Runs {
		if r.Rec != nil && r.Rec.Complete() {
			all = append(all, score.RunResult{Name: r.Name, Role: r.Role, Timeline: r.Rec.Timeline()})
		}
	}
	return all
}

// verdict returns the first screen after a trial: the questions about the verdict, then the predictions
// and the card, which both answer them. Each gives way to the next. The deck is below them, so that the
// timeline can be read before an answer.
func (ex *Exercise) verdict(t *liverun.Trial) screen.Screen {
	replace := func() tea.Cmd { return screen.Replace(ex.verdict(t)) }
	if asked := ex.pending(scenario.CheckpointVerdict, ex.facts()); len(asked) > 0 {
		return &quizPage{exercise: ex, asked: asked, checkpoint: scenario.CheckpointVerdict, next: replace}
	}
	if all := ex.predictions(); len(all) > 0 {
		return &predictions{exercise: ex, all: all, next: replace}
	}
	return ex.newCard(t)
}

// predictions are those that can be compared with the run now.
func (ex *Exercise) predictions() []given {
	var all []given
	for _, g := range ex.given {
		if g.At == scenario.CheckpointPredict && g.Open == "" && !g.shown {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b given) int { return a.Number - b.Number })
	return all
}

// predictions compares what the learner predicted with what the run showed.
type predictions struct {
	exercise *Exercise
	all      []given
	next     func() tea.Cmd
}

// Name implements [screen.Screen].
func (*predictions) Name() string { return "predictions" }

// Init implements [screen.Screen].
func (p *predictions) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (*predictions) Keys() []screen.Group {
	return []screen.Group{{Title: "Your predictions", Keys: []screenKey{screen.Key("enter", "on to the card"),
		screen.Key("esc", "back to the timeline")}}}
}

// Update implements [screen.Screen].
func (p *predictions) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	switch {
	case ok && k.String() == "esc":
		return screen.Close
	case !ok || k.String() != "enter":
		return nil
	}
	for _, g := range p.all {
		g.shown = true
		p.exercise.given[g.Number] = g
	}
	return p.next()
}

// Draw implements [screen.Screen].
func (p *predictions) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "Predictions and the run: "+p.exercise.scenario.Name, "")
	pane.Footer(foot, pane.Key{Key: "enter", Action: "on"}, pane.Key{Key: "esc", Action: "timeline"})
	_, body = body.Top(1)
	body = body.Pad(margin)
	body = body.Sub(0, 0, min(body.Width(), maxTextWidth), body.Height())
	y := 0
	text := func(s theme.Style, t string) {
		for _, l := range wrap.Text(t, body.Width()) {
			body.Text(0, y, s, l)
			y++
		}
	}
	for _, g := range p.all {
		text(theme.Bold, g.Question.Question)
		sign, style := "✗", theme.Bad
		if g.Check(g.text) {
			sign, style = "✓", theme.Good
		}
		text(style, fmt.Sprintf("%s You said %s. The run: %s.", sign, g.named(g.text), g.named(g.Expected())))
		text(theme.Plain, g.Why)
		y++
	}
}

// named adds the text of an option to its letter.
func (g given) named(answer string) string {
	for i, o := range g.Options {
		if scenario.Letter(i) == answer {
			return answer + ", " + o
		}
	}
	return answer
}
