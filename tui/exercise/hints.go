package exercise

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// hints is the screen of the hints. Reading hints that were taken is free.
type hints struct {
	exercise *Exercise
	text     text
	shown    int // number of hints in text
}

func newHints(ex *Exercise) *hints {
	h := &hints{exercise: ex, shown: -1}
	h.text.size(ex.width, ex.height)
	h.layout()
	return h
}

// Name implements [screen.Screen].
func (*hints) Name() string { return "hints" }

// Init implements [screen.Screen].
func (*hints) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (*hints) Keys() []screen.Group {
	return []screen.Group{{Title: "Hints", Keys: []screenKey{
		screen.Key("enter", "take the next hint (costs points)"), screen.Key("↑ ↓", "scroll"),
		screen.Key("esc", "back"),
	}}}
}

// taken returns the number of hints that the learner has taken.
func (h *hints) taken() int { return min(h.exercise.entry.Hints, len(h.exercise.briefing.Hints)) }

// maxPoints returns the points of the scenario's rubric.
func (ex *Exercise) maxPoints() int {
	sum := 0
	for _, i := range ex.scenario.Rubric.Items {
		sum += max(0, i.Points)
	}
	return sum
}

// nextCost returns the cost of the next hint.
func (h *hints) nextCost() int {
	of, n := h.exercise.maxPoints(), h.taken()
	return scenario.HintCost(n+1, of) - scenario.HintCost(n, of)
}

// layout writes the hints that were taken into the text.
func (h *hints) layout() {
	n := h.taken()
	if n == h.shown {
		return
	}
	var b strings.Builder
	for i, hint := range h.exercise.briefing.Hints[:n] {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", hint.Heading(i+1), hint.Text)
	}
	if n == 0 {
		b.WriteString("No hints taken yet. The advice on the card, below the items that lost points, is free.\n")
	}
	before := h.shown
	h.shown = n
	h.text.set(b.String())
	if before >= 0 {
		h.text.scroll(len(h.text.lines)) // show the new hint, which is the last
	}
}

// Update implements [screen.Screen].
func (h *hints) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		h.text.size(msg.Width-2*margin, msg.Height-pageFrame)
	case tea.KeyPressMsg:
		return h.key(msg.String())
	case Changed:
		h.layout()
	}
	return nil
}

func (h *hints) key(k string) tea.Cmd {
	ex := h.exercise
	switch k {
	case "esc", "h":
		return screen.Close
	case "enter":
		n := h.taken() + 1
		if n > len(ex.briefing.Hints) {
			return nil
		}
		name := ex.scenario.Name
		return func() tea.Msg {
			e, note := ex.backend.Progress.RecordHints(name, n)
			return Changed{name, e, note}
		}
	}
	h.text.key(k)
	return nil
}

// Draw implements [screen.Screen].
func (h *hints) Draw(a canvas.Area) {
	ex := h.exercise
	head, rest := a.Top(1)
	rest, foot := rest.Bottom(1)
	rest, state := rest.Bottom(2)
	taken := fmt.Sprintf("%d of %d taken", h.taken(), len(ex.briefing.Hints))
	if cost := scenario.HintCost(h.taken(), ex.maxPoints()); cost > 0 {
		taken += fmt.Sprintf(", −%d points", cost)
	}
	pane.Bar(head, "Hints on "+ex.scenario.Name, taken)
	_, body := rest.Top(1)
	h.text.draw(body.Pad(margin))
	state.Fill(0, 0, state.Width(), theme.Muted, '─')
	text, keys := h.nextHintText(), []pane.Key{{Key: "↑ ↓", Action: "read"}, {Key: "esc", Action: "back"}}
	if h.taken() < len(ex.briefing.Hints) {
		keys = append([]pane.Key{{Key: "enter", Action: "take the next hint"}}, keys...)
	}
	state.Text(margin, 1, theme.Accent, canvas.Truncate(text, state.Width()-2*margin))
	pane.Footer(foot, keys...)
}

// nextHintText describes the next hint and its cost.
func (h *hints) nextHintText() string {
	ex := h.exercise
	switch n := h.taken(); {
	case ex.notice != "":
		return oneLine(ex.notice)
	case len(ex.briefing.Hints) == 0:
		return "This scenario has no hints."
	case n == len(ex.briefing.Hints):
		return "There are no more hints."
	case ex.entry.Solved && ex.lastTrial != nil && ex.lastTrial.Card.Exit == score.ExitPassed:
		return fmt.Sprintf("Enter shows %s. Your best score does not change.", hintName(ex.briefing.Hints[n], n+1))
	default:
		return fmt.Sprintf("Enter shows %s. It costs %s in later trials.", hintName(ex.briefing.Hints[n], n+1),
			format.Plural(h.nextCost(), "point"))
	}
}

func hintName(h scenario.Hint, number int) string {
	if h.Title == "" {
		return fmt.Sprintf("hint %d", number)
	}
	return fmt.Sprintf("hint %d, “%s”", number, h.Title)
}
