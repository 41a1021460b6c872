// Package screen is the interface between the program's window and its screens: briefing, deck,
// card and others.
//
// A window holds a stack of screens and shows the top one. Only the top screen receives keys and
// the mouse; all screens receive every other message, so that a deck keeps up with its run while
// the card is read. A screen never blocks and does no I/O: slow work is a [tea.Cmd]. Its Draw is a
// function of its state and the area, and has no side effects.
//
// The window handles these keys before a screen sees them: ctrl+c (quit the program), ctrl+z
// (suspend), and, unless the screen is [Typing], ? (help) and q (quit; it asks while a trial is being
// played). In every screen esc goes one level up.
package screen

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
)

// MinWidth and MinHeight are the smallest size at which screens are drawn.
const (
	MinWidth  = 80
	MinHeight = 24
)

// Screen is one view of the program.
type Screen interface {
	// Name is a word or two for the window title.
	Name() string
	// Init is called once, when the screen is put on the stack.
	Init() tea.Cmd
	// Update handles a message.
	Update(tea.Msg) tea.Cmd
	// Draw draws the screen onto an area of at least [MinWidth] by [MinHeight].
	Draw(canvas.Area)
	// Keys returns the screen's own keys, for the help.
	Keys() []Group
}

// Typing is implemented by screens with a text field. While it returns true, q and ? are letters.
type Typing interface{ Typing() bool }

// Covered is implemented by screens that need to know when another screen opens on top of them
// (true) or closes (false).
type Covered interface{ Covered(bool) tea.Cmd }

// Group is a section of the help.
type Group struct {
	Title string
	Keys  []key.Binding
}

// Key returns a binding: keys in bubbletea's notation, how the help writes them, and what they do.
func Key(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

// Opened asks the window to put a screen on top.
type Opened struct{ Screen Screen }

// Closed asks the window to remove the top screen. Removing the last one quits the program.
type Closed struct {
	// Then is sent to the remaining screens; nil sends nothing.
	Then tea.Msg
}

// Replaced asks the window to replace the top screen.
type Replaced struct{ Screen Screen }

// Open puts a screen on top.
func Open(s Screen) tea.Cmd { return func() tea.Msg { return Opened{s} } }

// Close removes the top screen.
func Close() tea.Msg { return Closed{} }

// CloseWith removes the top screen and sends a message to the others.
func CloseWith(then tea.Msg) tea.Cmd { return func() tea.Msg { return Closed{then} } }

// Replace replaces the top screen.
func Replace(s Screen) tea.Cmd { return func() tea.Msg { return Replaced{s} } }

// Follow waits for the next batch of a feed. A screen that starts a trial returns it once; the
// window then applies each [liverun.Batch] to the trial, sends it to all screens, and waits for the
// next one until the last.
func Follow(f *liverun.Feed) tea.Cmd { return func() tea.Msg { return f.Next() } }

// Left asks the window to go back to the screen below, if need be after a question; the last screen stays
// open.
type Left struct{}

// Leave is a command that goes back to the screen below, if there is one.
func Leave() tea.Msg { return Left{} }
