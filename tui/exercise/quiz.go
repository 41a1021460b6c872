package exercise

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/scenario"
	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// quiz asks one question after another, and explains each answer.
type quiz struct {
	exercise *Exercise
	at       int
	// chosen is the option under the cursor; answered is the answer given, -1 if none.
	chosen, answered int
	right            int
}

func newQuiz(ex *Exercise) *quiz { return &quiz{exercise: ex, answered: -1} }

// Name implements [screen.Screen].
func (*quiz) Name() string { return "quiz" }

// Init implements [screen.Screen].
func (*quiz) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (*quiz) Keys() []screen.Group {
	return []screen.Group{{Title: "The quiz", Keys: []screenKey{
		screen.Key("A B …", "answer"), screen.Key("↑ ↓", "choose an answer"),
		screen.Key("enter", "confirm; next question"),
		screen.Key("esc", "back to the briefing"),
	}}}
}

func (q *quiz) questions() []scenario.Question { return q.exercise.quiz.Questions }

func (q *quiz) over() bool { return q.at >= len(q.questions()) }

// Update implements [screen.Screen].
func (q *quiz) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch name := k.String(); {
	case name == "esc", q.over() && name == "enter":
		return screen.Close
	case q.over():
		return nil
	case q.answered >= 0:
		if name == "enter" || name == "space" {
			return q.next()
		}
	default:
		q.answer(name)
	}
	return nil
}

func (q *quiz) answer(k string) {
	options := len(q.questions()[q.at].Options)
	switch k {
	case "up":
		q.chosen = (q.chosen + options - 1) % options
		return
	case "down":
		q.chosen = (q.chosen + 1) % options
		return
	case "enter":
	default:
		i := strings.Index("abcdefghijklmnopqrstuvwxyz", strings.ToLower(k))
		if len(k) != 1 || i < 0 || i >= options {
			return
		}
		q.chosen = i
	}
	q.answered = q.chosen
	if q.correct(q.answered) {
		q.right++
	}
}

func (q *quiz) correct(option int) bool {
	return scenario.Letter(option) == q.questions()[q.at].Answer
}

func (q *quiz) next() tea.Cmd {
	q.at, q.answered, q.chosen = q.at+1, -1, 0
	if !q.over() {
		return nil
	}
	ex, right, of := q.exercise, q.right, len(q.questions())
	return func() tea.Msg {
		e, note := ex.backend.Progress.RecordQuiz(ex.scenario.Name, right, of)
		return Changed{ex.scenario.Name, e, note}
	}
}

// Draw implements [screen.Screen].
func (q *quiz) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	_, body = body.Top(1)
	body = body.Pad(margin)
	body = body.Sub(0, 0, min(body.Width(), maxTextWidth), body.Height())
	if q.over() {
		pane.Bar(head, "Quiz: "+q.exercise.scenario.Name, "")
		body.Text(0, 0, theme.Bold, fmt.Sprintf("%d of %d correct", q.right, len(q.questions())))
		if s := progressText(q.exercise.entry); s != "" {
			body.Text(0, 2, theme.Muted, s)
		}
		pane.Footer(foot, pane.Key{Key: "enter", Action: "back to the briefing"})
		return
	}
	pane.Bar(head, "Quiz: "+q.exercise.scenario.Name, fmt.Sprintf("question %d of %d", q.at+1, len(q.questions())))
	q.drawQuestion(body)
	if q.answered < 0 {
		pane.Footer(foot, pane.Key{Key: "↑ ↓", Action: "choose"}, pane.Key{Key: "enter", Action: "answer"},
			pane.Key{Key: "esc", Action: "back"})
	} else {
		pane.Footer(foot, pane.Key{Key: "enter", Action: "next"}, pane.Key{Key: "esc", Action: "back"})
	}
}

func (q *quiz) drawQuestion(a canvas.Area) {
	question := q.questions()[q.at]
	y := 0
	for _, l := range wrap.Text(question.Question, a.Width()) {
		a.Text(0, y, theme.Bold, l)
		y++
	}
	y++
	for i, option := range question.Options {
		symbol, style := q.option(i)
		a.Text(0, y, style, symbol+" "+scenario.Letter(i))
		for _, l := range wrap.Text(option, a.Width()-6) {
			a.Text(5, y, style, l)
			y++
		}
	}
	if q.answered < 0 {
		return
	}
	y++
	text, style := "✗ The answer is "+question.Answer+".", theme.Bad
	if q.correct(q.answered) {
		text, style = "✓ Correct.", theme.Good
	}
	a.Text(0, y, style|theme.Bold, text)
	for i, l := range wrap.Text(question.Why, a.Width()) {
		a.Text(0, y+1+i, theme.Plain, l)
	}
}

// option returns the symbol and the style of an option.
func (q *quiz) option(i int) (string, theme.Style) {
	switch {
	case q.answered < 0 && i == q.chosen:
		return "▸", theme.Accent | theme.Bold
	case q.answered < 0:
		return " ", theme.Plain
	case q.correct(i):
		return "✓", theme.Good
	case i == q.answered:
		return "✗", theme.Bad
	}
	return " ", theme.Muted
}
