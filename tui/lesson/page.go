package lesson

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

// Page is the briefing of a scenario, from which everything else of the lesson is opened.
type Page struct {
	lesson *Lesson
	text   text
}

// NewPage returns the briefing of a lesson.
func NewPage(l *Lesson) *Page { return &Page{lesson: l} }

// margin is how far texts are from the screen's edges; pageFrame is the lines around the briefing.
const (
	margin    = 2
	pageFrame = 5
)

// Name implements [screen.Screen].
func (p *Page) Name() string { return p.lesson.scenario.Name }

// Init implements [screen.Screen].
func (p *Page) Init() tea.Cmd { return tea.Batch(p.lesson.open, tea.RequestWindowSize) }

// Keys implements [screen.Screen].
func (p *Page) Keys() []screen.Group {
	keys := []key.Binding{
		screen.Key("enter", "make the folder, then play it", "enter"), screen.Key("↑ ↓", "scroll"), screen.Key("space", "next page"),
		screen.Key("e", "your files, and the editor", "e"), screen.Key("h", "hints, for points", "h"),
	}
	if p.lesson.quiz != nil {
		keys = append(keys, screen.Key("z", "the quiz", "z"))
	}
	return []screen.Group{{Title: "The briefing", Keys: append(keys, screen.Key("esc", "back to the list", "esc"))}}
}

// Covered implements [screen.Covered]: who comes back to the briefing has left what was being played.
func (p *Page) Covered(is bool) tea.Cmd {
	switch {
	case is:
		p.lesson.opening = false
	case !p.lesson.opening:
		p.lesson.stop()
	}
	return nil
}

// Update implements [screen.Screen].
func (p *Page) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.lesson.width, p.lesson.height = msg.Width-2*margin, msg.Height-pageFrame
		p.text.size(p.lesson.width, p.lesson.height)
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
	cmd := p.lesson.take(msg)
	if _, ok := msg.(opened); ok && p.lesson.read {
		p.text.set(p.lesson.words())
	}
	return cmd
}

// words is the briefing, or what is known of a scenario without one.
func (l *Lesson) words() string {
	if l.briefing.Text != "" {
		return l.briefing.Text
	}
	return fmt.Sprintf("# %s\n\n%s", l.scenario.Title, l.scenario.Summary)
}

func (p *Page) key(k string) tea.Cmd {
	l := p.lesson
	switch k {
	case "enter":
		if l.read {
			return l.play(0, false)
		}
	case "e":
		if l.space.There {
			return screen.Open(newBench(l, 1, l.firstFile()))
		}
		l.note = "you have no files yet: enter makes them"
	case "h":
		return screen.Open(newHints(l))
	case "z":
		if l.quiz != nil {
			return screen.Open(newQuiz(l))
		}
	case "esc":
		l.stop()
		return screen.Close
	default:
		p.text.key(k)
	}
	return nil
}

// Draw implements [screen.Screen].
func (p *Page) Draw(a canvas.Area) {
	l := p.lesson
	head, rest := a.Top(1)
	rest, foot := rest.Bottom(1)
	rest, state := rest.Bottom(2)
	pane.Bar(head, l.scenario.Name+" · "+level(l.scenario.Level), standing(l.entry))
	_, body := rest.Top(1)
	p.text.draw(body.Pad(margin))
	l.drawState(state)
	does := "start"
	if l.space.There {
		does = "play your files"
	}
	keys := []pane.Key{{Key: "enter", Does: does}, {Key: "↑ ↓", Does: "read"}, {Key: "e", Does: "files"}, {Key: "h", Does: "hints"}}
	if l.quiz != nil {
		keys = append(keys, pane.Key{Key: "z", Does: "quiz"})
	}
	pane.Footer(foot, append(keys, pane.Key{Key: "esc", Does: "back"})...)
}

// drawState tells where the learner's files are, or what went wrong.
func (l *Lesson) drawState(a canvas.Area) {
	a.Fill(0, 0, a.Width(), theme.Muted, '─')
	words, look := fmt.Sprintf("Enter makes the folder %s/ with a first draft, and plays it.", l.space.Dir), theme.Accent
	switch {
	case l.busy != "":
		words, look = l.busy+" …", theme.Muted
	case l.note != "":
		words, look = l.note, theme.Warn
	case !l.read:
		words, look = "reading …", theme.Muted
	case l.space.There:
		words, look = fmt.Sprintf("Your guardrails: %s/  %s", l.space.Dir, strings.Join(l.space.Files, ", ")), theme.Plain
	}
	a.Text(margin, 1, look, canvas.Cut(oneLine(words), a.Width()-2*margin))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func level(n int) string { return fmt.Sprintf("level %d", n) }
