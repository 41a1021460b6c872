package tui

import (
	tea "charm.land/bubbletea/v2"

	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// confirm asks before a trial that is being played is left.
type confirm struct {
	// does is what y and the key that asked do, for people; yes does it.
	does string
	key  string
	yes  func() tea.Cmd
}

// Name implements [screen.Screen].
func (*confirm) Name() string { return "confirm" }

// Init implements [screen.Screen].
func (*confirm) Init() tea.Cmd { return nil }

// Typing implements [screen.Typing]: q is the question's own key.
func (*confirm) Typing() bool { return true }

// Keys implements [screen.Screen].
func (*confirm) Keys() []screen.Group { return nil }

// Update implements [screen.Screen].
func (c *confirm) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	switch {
	case !ok:
		return nil
	case k.String() == "y", k.String() == c.key:
		return c.yes()
	}
	return screen.Close
}

// Draw implements [screen.Screen].
func (c *confirm) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "A trial is being played", "")
	body.Text(2, 1, theme.Bold, "Its runs end here if you "+c.does+".")
	body.Text(2, 2, theme.Plain, "What was played so far is recorded, and is inconclusive.")
	pane.TypingFooter(foot, pane.Key{Key: "y", Action: c.does}, pane.Key{Key: "n esc", Action: "go on"})
}
