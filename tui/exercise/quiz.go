package exercise

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// quizPage asks one question after another, and explains each answer. At a checkpoint it asks the
// questions of that moment; a prediction is explained only after the run.
type quizPage struct {
	exercise *Exercise
	asked    []quiz.Asked
	// checkpoint is "" for the quiz as a whole.
	checkpoint scenario.Checkpoint
	// next leads on from a checkpoint.
	next func() tea.Cmd

	at int
	// chosen is the option under the cursor, marked are the options that were marked, and typed is
	// what was typed so far.
	chosen int
	marked []string
	typed  string
	// answered is set once the question has an answer, and right if that is right; done once the last
	// question of a checkpoint has one.
	answered, right, done bool

	notice string
}

// maxTyped is the length of an answer in words.
const maxTyped = 60

func newQuiz(ex *Exercise) *quizPage { return &quizPage{exercise: ex, asked: ex.quizQuestions()} }

// Name implements [screen.Screen].
func (*quizPage) Name() string { return "quiz" }

// Init implements [screen.Screen].
func (*quizPage) Init() tea.Cmd { return nil }

// Typing implements [screen.Typing].
func (q *quizPage) Typing() bool { return !q.over() && !q.answered && !q.question().Kind.HasOptions() }

// Keys implements [screen.Screen].
func (q *quizPage) Keys() []screen.Group {
	return []screen.Group{{Title: "The quiz", Keys: []screenKey{
		screen.Key("A B …", "answer, or mark one of several"), screen.Key("↑ ↓", "choose an answer"),
		screen.Key("space", "mark one of several"),
		screen.Key("enter", "confirm; next question"),
		screen.Key("tab", "skip, if it is no gate"),
		screen.Key("esc", "back, or to the timeline"),
	}}}
}

func (q *quizPage) over() bool { return q.at >= len(q.asked) }

func (q *quizPage) question() quiz.Asked { return q.asked[q.at] }

// Update implements [screen.Screen].
func (q *quizPage) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.PasteMsg:
		if q.Typing() {
			q.write(msg.Content)
		}
	case tea.KeyPressMsg:
		return q.key(msg)
	}
	return nil
}

func (q *quizPage) key(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.String()
	switch {
	case q.done:
		return nil
	case name == "esc":
		return screen.Close
	case name == "tab":
		return q.skip()
	case q.over():
		if name == "enter" {
			return screen.Close
		}
	case q.answered:
		if name == "enter" || name == "space" {
			return q.advance()
		}
	case name == "enter":
		return q.confirm()
	case q.Typing():
		q.notice = ""
		if name == "backspace" {
			letters := []rune(q.typed)
			q.typed = string(letters[:max(0, len(letters)-1)])
		} else {
			q.write(msg.Text)
		}
	default:
		return q.choose(name)
	}
	return nil
}

// skips reports whether the checkpoint may be passed without an answer: it has no gate.
func (q *quizPage) skips() bool {
	return q.checkpoint != "" && !gated(q.asked[min(q.at, len(q.asked)):])
}

// skip passes the checkpoint.
func (q *quizPage) skip() tea.Cmd {
	if !q.skips() {
		return nil
	}
	q.exercise.passed, q.done = append(q.exercise.passed, q.checkpoint), true
	return q.next()
}

func (q *quizPage) write(text string) {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), " ")
	if len([]rune(q.typed+text)) <= maxTyped {
		q.typed += text
	}
}

// choose moves the cursor, marks an option, or answers by a letter.
func (q *quizPage) choose(k string) tea.Cmd {
	options := len(q.question().Options)
	q.notice = ""
	switch k {
	case "up":
		q.chosen = (q.chosen + options - 1) % options
		return nil
	case "down":
		q.chosen = (q.chosen + 1) % options
		return nil
	case "space":
	default:
		i := strings.Index("abcdefghijklmnopqrstuvwxyz", strings.ToLower(k))
		if len(k) != 1 || i < 0 || i >= options {
			return nil
		}
		q.chosen = i
	}
	if q.question().Kind == scenario.KindMultiple {
		q.marked = toggled(q.marked, scenario.Letter(q.chosen))
		return nil
	}
	return q.confirm()
}

// confirm takes the answer as it stands.
func (q *quizPage) confirm() tea.Cmd {
	question := q.question()
	given := scenario.Letter(q.chosen)
	switch question.Kind {
	case scenario.KindMultiple:
		given = strings.Join(q.marked, ", ")
		q.notice = "mark at least one with space"
	case scenario.KindNumber:
		given, q.notice = strings.TrimSpace(q.typed), "write a number, such as 25"
		if _, ok := quiz.ParseNumber(given, question.Unit); !ok {
			given = ""
		}
	case scenario.KindText:
		given, q.notice = strings.TrimSpace(q.typed), "write a word or two"
	}
	if given == "" {
		return nil
	}
	q.notice, q.answered = "", true
	q.right = q.exercise.take(question, given)
	if q.checkpoint == scenario.CheckpointPredict {
		return q.advance() // the run will show
	}
	return nil
}

func (q *quizPage) advance() tea.Cmd {
	if q.checkpoint != "" && q.at+1 == len(q.asked) {
		q.done = true
		return q.next()
	}
	q.at, q.answered, q.chosen, q.marked, q.typed = q.at+1, false, 0, nil, ""
	if !q.over() {
		return nil
	}
	return q.exercise.recordQuiz()
}

// Draw implements [screen.Screen].
func (q *quizPage) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	_, body = body.Top(1)
	body = body.Pad(margin)
	body = body.Sub(0, 0, min(body.Width(), maxTextWidth), body.Height())
	title := "Quiz: " + q.exercise.scenario.Name
	if when := quiz.When(q.checkpoint); when != "" {
		title = strings.ToUpper(when[:1]) + when[1:] + ": " + q.exercise.scenario.Name
	}
	if q.over() {
		pane.Bar(head, title, "")
		q.drawEnd(body)
		pane.Footer(foot, pane.Key{Key: "enter", Action: "back to the briefing"})
		return
	}
	pane.Bar(head, title, fmt.Sprintf("question %d of %d", q.at+1, len(q.asked)))
	q.drawQuestion(body)
	if q.Typing() {
		pane.TypingFooter(foot, q.footer()...)
		return
	}
	pane.Footer(foot, q.footer()...)
}

func (q *quizPage) footer() []pane.Key {
	enter, leave := pane.Key{Key: "enter", Action: "answer"}, []pane.Key{{Key: "esc", Action: "back"}}
	if q.checkpoint == scenario.CheckpointFailedCheck || q.checkpoint == scenario.CheckpointVerdict {
		leave[0].Action = "timeline"
	}
	if q.skips() {
		leave = append([]pane.Key{{Key: "tab", Action: "skip"}}, leave...)
	}
	switch {
	case q.answered:
		return append([]pane.Key{{Key: "enter", Action: "next"}}, leave...)
	case q.Typing():
		return append([]pane.Key{enter}, leave...)
	case q.question().Kind == scenario.KindMultiple:
		return append([]pane.Key{{Key: "↑ ↓", Action: "choose"}, {Key: "space", Action: "mark"}, enter}, leave...)
	}
	return append([]pane.Key{{Key: "↑ ↓", Action: "choose"}, enter}, leave...)
}

// drawEnd says what the answers were worth, and which questions wait for a run.
func (q *quizPage) drawEnd(a canvas.Area) {
	right, of := q.exercise.quizScore()
	a.Text(0, 0, theme.Bold, fmt.Sprintf("%d of %d correct", right, of))
	y := 2
	if s := progressText(q.exercise.entry); s != "" {
		a.Text(0, y, theme.Muted, s)
		y += 2
	}
	if text := q.exercise.waitingText(); text != "" {
		for i, l := range wrap.Text(text, a.Width()) {
			a.Text(0, y+i, theme.Plain, l)
		}
	}
}

func (q *quizPage) drawQuestion(a canvas.Area) {
	question := q.question()
	y := 0
	for _, l := range wrap.Text(question.Question.Question, a.Width()) {
		a.Text(0, y, theme.Bold, l)
		y++
	}
	if note := question.Note(); note != "" {
		a.Text(0, y, theme.Muted, canvas.Truncate(note, a.Width()))
		y++
	}
	y++
	if question.Kind.HasOptions() {
		y = q.drawOptions(a, y)
	} else {
		y = q.drawField(a, y)
	}
	if q.notice != "" {
		a.Text(0, y+1, theme.Warn, q.notice)
	}
	if q.answered && q.checkpoint != scenario.CheckpointPredict {
		q.drawFeedback(a, y+1)
	}
}

func (q *quizPage) drawOptions(a canvas.Area, y int) int {
	for i, option := range q.question().Options {
		symbol, style := q.option(i)
		letter := scenario.Letter(i)
		indent := 5
		if q.question().Kind == scenario.KindMultiple {
			letter = q.box(i) + " " + letter
			indent = 9
		}
		a.Text(0, y, style, symbol+" "+letter)
		for _, l := range wrap.Text(option, a.Width()-indent-1) {
			a.Text(indent, y, style, l)
			y++
		}
	}
	return y
}

// drawField draws what was typed, with a cursor and the unit.
func (q *quizPage) drawField(a canvas.Area, y int) int {
	text, style := "▸ "+q.typed, theme.Accent|theme.Bold
	if !q.answered {
		text += "▏"
	}
	if q.question().Unit != "" {
		text += " " + q.question().Unit
	}
	a.Text(0, y, style, canvas.Truncate(text, a.Width()))
	return y + 1
}

func (q *quizPage) drawFeedback(a canvas.Area, y int) {
	text, style := "✗ The answer is "+q.question().Expected()+".", theme.Bad
	if q.right {
		text, style = "✓ Correct.", theme.Good
	}
	a.Text(0, y, style|theme.Bold, canvas.Truncate(text, a.Width()))
	for i, l := range wrap.Text(q.question().Why, a.Width()) {
		a.Text(0, y+1+i, theme.Plain, l)
	}
}

// toggled adds a letter to sorted letters, or removes it.
func toggled(letters []string, letter string) []string {
	i, has := slices.BinarySearch(letters, letter)
	if has {
		return slices.Delete(letters, i, i+1)
	}
	return slices.Insert(letters, i, letter)
}

// box is the mark of an option of several.
func (q *quizPage) box(i int) string {
	if slices.Contains(q.marked, scenario.Letter(i)) {
		return "[x]"
	}
	return "[ ]"
}

// option returns the symbol and the style of an option.
func (q *quizPage) option(i int) (string, theme.Style) {
	mine := i == q.chosen
	if q.question().Kind == scenario.KindMultiple && q.answered {
		mine = slices.Contains(q.marked, scenario.Letter(i))
	}
	switch {
	case !q.answered && mine:
		return "▸", theme.Accent | theme.Bold
	case !q.answered:
		return " ", theme.Plain
	case q.question().IsRight(i):
		return "✓", theme.Good
	case mine:
		return "✗", theme.Bad
	}
	return " ", theme.Muted
}
