package tui

import (
	"charm.land/bubbles/v2/key"

	"coalmine/tui/screen"
)

// windowKeys are those that the window takes itself.
func windowKeys() []key.Binding {
	return []key.Binding{
		screen.Key("?", "these keys", "?"),
		screen.Key("q", "leave", "q"),
		screen.Key("ctrl+c", "end the program", "ctrl+c"),
		screen.Key("ctrl+z", "suspend", "ctrl+z"),
	}
}
