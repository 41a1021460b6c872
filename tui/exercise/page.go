package exercise

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// Page is the briefing of a scenario, from which all other screens of the exercise are opened.
type Page struct {
	exercise *Exercise
	text     text
}

// NewPage returns the briefing of an exercise.
func NewPage(ex *Exercise) *Page { return &Page{exercise: ex} }

// margin is the distance of texts from the screen's edges; pageFrame the number of lines around the
// briefing.
const (
	margin    = 2
	pageFrame = 5
)

// Name implements [screen.Screen].
func (p *Page) Name() string { return p.exercise.scenario.Name }

// Init implements [screen.Screen].
func (p *Page) Init() tea.Cmd { return tea.Batch(p.exercise.open, tea.RequestWindowSize) }

// Keys implements [screen.Screen].
func (p *Page) Keys() []screen.Group {
	keys := []key.Binding{
		screen.Key("enter", "create the folder and run it", "enter"), screen.Key("↑ ↓", "scroll"),
		screen.Key("space", "next page"),
		screen.Key("e", "your files", "e"), screen.Key("h", "hints (cost points)", "h"),
	}
	if p.exercise.quiz != nil {
		keys = append(keys, screen.Key("z", "the quiz", "z"))
	}
	return []screen.Group{{Title: "The briefing", Keys: append(keys, screen.Key("esc", "back to the list", "esc"))}}
}

// Covered implements [screen.Covered]: returning to the briefing ends the trial.
func (p *Page) Covered(is bool) tea.Cmd {
	switch {
	case is:
		p.exercise.opening = false
	case !p.exercise.opening:
		p.exercise.stop()
	}
	return nil
}

// Update implements [screen.Screen].
func (p *Page) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.exercise.width, p.exercise.height = msg.Width-2*margin, msg.Height-pageFrame
		p.text.size(p.exercise.width, p.exercise.height)
		return nil
	case tea.KeyPressMsg:
		return p.key(msg.String())
	case tea.MouseWheelMsg:
		if msg.Button == tea.MouseWheelUp {
			p.text.scroll(-3)
		} else {
			p.text.scroll(3)
		}
		return nil
	}
	cmd := p.exercise.handle(msg)
	if _, ok := msg.(opened); ok && p.exercise.loaded {
		p.text.set(p.exercise.briefingText())
	}
	return cmd
}

// briefingText returns the briefing, or the title and summary of a scenario without one.
func (ex *Exercise) briefingText() string {
	if ex.briefing.Text != "" {
		return ex.briefing.Text
	}
	return fmt.Sprintf("# %s\n\n%s", ex.scenario.Title, ex.scenario.Summary)
}

func (p *Page) key(k string) tea.Cmd {
	ex := p.exercise
	switch k {
	case "enter":
		if ex.loaded {
			return ex.play(0, false)
		}
	case "e":
		if ex.workspace.Exists {
			return screen.Open(newEditor(ex, 1, ex.suggestedFile()))
		}
		ex.notice = "no files yet: press enter to create them"
	case "h":
		return screen.Open(newHints(ex))
	case "z":
		if ex.quiz != nil {
			return screen.Open(newQuiz(ex))
		}
	case "esc":
		ex.stop()
		return screen.Close
	default:
		p.text.key(k)
	}
	return nil
}

// Draw implements [screen.Screen].
func (p *Page) Draw(a canvas.Area) {
	ex := p.exercise
	head, rest := a.Top(1)
	rest, foot := rest.Bottom(1)
	rest, state := rest.Bottom(2)
	pane.Bar(head, ex.scenario.Name+" · "+level(ex.scenario.Level), progressText(ex.entry))
	_, body := rest.Top(1)
	p.text.draw(body.Pad(margin))
	ex.drawState(state)
	does := "start"
	if ex.workspace.Exists {
		does = "run your files"
	}
	keys := []pane.Key{{Key: "enter", Action: does}, {Key: "↑ ↓", Action: "read"}, {Key: "e", Action: "files"},
		{Key: "h", Action: "hints"}}
	if ex.quiz != nil {
		keys = append(keys, pane.Key{Key: "z", Action: "quiz"})
	}
	pane.Footer(foot, append(keys, pane.Key{Key: "esc", Action: "back"})...)
}

// drawState draws where the learner's files are, or what went wrong.
func (ex *Exercise) drawState(a canvas.Area) {
	a.Fill(0, 0, a.Width(), theme.Muted, '─')
	text, style := fmt.Sprintf("Press enter to create the folder %s/ with a starter and run it.", ex.workspace.Dir),
		theme.Accent
	switch {
	case ex.busy != "":
		text, style = ex.busy+" …", theme.Muted
	case ex.notice != "":
		text, style = ex.notice, theme.Warn
	case !ex.loaded:
		text, style = "loading …", theme.Muted
	case ex.workspace.Exists:
		text, style = fmt.Sprintf("Your guardrails: %s/  %s", ex.workspace.Dir,
			strings.Join(ex.workspace.Files, ", ")), theme.Plain
	}
	a.Text(margin, 1, style, canvas.Truncate(oneLine(text), a.Width()-2*margin))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func level(n int) string { return fmt.Sprintf("level %d", n) }
