package tui

import (
	"charm.land/bubbles/v2/key"

	"coalmine/tui/screen"
)

// windowKeys returns the keys that the window handles itself.
func windowKeys() []key.Binding {
	return []key.Binding{
		screen.Key("?", "show these keys", "?"),
		screen.Key("q", "quit the program", "q"),
		screen.Key("ctrl+c", "quit the program", "ctrl+c"),
		screen.Key("ctrl+z", "suspend", "ctrl+z"),
	}
}
