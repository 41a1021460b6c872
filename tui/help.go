package tui

import (
	tea "charm.land/bubbletea/v2"

	"coalmine/tui/canvas"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// help is the screen that lists the keys of the screen below it.
type help struct {
	screenName string
	groups     []screen.Group
}

func newHelp(s screen.Screen) *help {
	own := screen.Group{Title: "Everywhere", Keys: windowKeys()}
	return &help{screenName: s.Name(), groups: append(s.Keys(), own)}
}

// Name implements [screen.Screen].
func (*help) Name() string { return "help" }

// Init implements [screen.Screen].
func (*help) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (*help) Keys() []screen.Group { return nil }

// Update implements [screen.Screen]: any key closes the help.
func (*help) Update(msg tea.Msg) tea.Cmd {
	switch msg.(type) {
	case tea.KeyPressMsg, tea.MouseClickMsg:
		return screen.Close
	}
	return nil
}

// Draw implements [screen.Screen]. Groups fill the left column first, then the right one.
func (h *help) Draw(a canvas.Area) {
	a.Fill(0, 0, a.Width(), theme.Bar, ' ')
	a.Text(1, 0, theme.Bar|theme.Bold, "Keys: "+h.screenName)
	a.Right(a.Width()-1, 0, theme.Bar, "any key: close")
	_, body := a.Top(2)
	column, height := body.Width()/2, 0
	left := body.Sub(1, 0, column-1, body.Height())
	for _, g := range h.groups {
		if height > 0 && height+1+len(g.Keys) > body.Height() {
			left, height = body.Sub(column+1, 0, body.Width()-column-1, body.Height()), 0
		}
		left.Text(1, height, theme.Bold, g.Title)
		for i, k := range g.Keys {
			left.Text(1, height+1+i, theme.Accent, canvas.Truncate(k.Help().Key, 13))
			left.Text(15, height+1+i, theme.Plain, canvas.Truncate(k.Help().Desc, left.Width()-15))
		}
		height += len(g.Keys) + 2
	}
}
