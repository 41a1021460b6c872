// Package screen is the contract between the program's window and the screens in it: briefing, deck, card and others.
//
// A window holds a stack of screens and shows the one on top. Keys and the mouse go to that one alone; every other message goes
// to all of them, so that a run is followed while its card is read. A screen neither waits nor reads nor writes: what takes
// time is a [tea.Cmd]. Its Draw is a function of its state and the area, and changes nothing.
//
// The window itself takes these keys before a screen sees them: ctrl+c (end the program), ctrl+z (suspend), and, unless the
// screen is [Typing], ? (help) and q (leave the screen; the program with the last one).
package screen

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
)

// MinWidth and MinHeight are the least size that screens are drawn at.
const (
	MinWidth  = 80
	MinHeight = 24
)

// Screen is one view of the program.
type Screen interface {
	// Name is a word or two for the window's title.
	Name() string
	// Init is asked once, when the screen is put on the stack.
	Init() tea.Cmd
	// Update takes a message.
	Update(tea.Msg) tea.Cmd
	// Draw draws the screen onto an area of at least [MinWidth] by [MinHeight].
	Draw(canvas.Area)
	// Keys are the screen's own keys, for the help.
	Keys() []Group
}

// Typing is for screens that take text while it is true: then q and ? are letters.
type Typing interface{ Typing() bool }

// Covered is for screens that want to know that another one was put on top of them, or taken away.
type Covered interface{ Covered(bool) tea.Cmd }

// Group is a part of the help.
type Group struct {
	Title string
	Keys  []key.Binding
}

// Key makes a binding: its keys as bubbletea names them, how the help writes them, and what they do.
func Key(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

// Opened asks the window to put a screen on top.
type Opened struct{ Screen Screen }

// Closed asks the window to take the top screen away. The program ends with the last one.
type Closed struct {
	// Then is told to the screens that remain; nil for nothing.
	Then tea.Msg
}

// Replaced asks the window to put a screen in the place of the top one.
type Replaced struct{ Screen Screen }

// Open puts a screen on top.
func Open(s Screen) tea.Cmd { return func() tea.Msg { return Opened{s} } }

// Close takes the top screen away.
func Close() tea.Msg { return Closed{} }

// CloseWith takes the top screen away and tells the others something.
func CloseWith(then tea.Msg) tea.Cmd { return func() tea.Msg { return Closed{then} } }

// Replace puts a screen in the place of the top one.
func Replace(s Screen) tea.Cmd { return func() tea.Msg { return Replaced{s} } }

// Follow takes the next news of a trial. A screen that begins a trial asks for it once; the window then adds the news to the
// trial, tells all screens of the [watch.Batch], and follows on until the last.
func Follow(f *liverun.Feed) tea.Cmd { return func() tea.Msg { return f.Next() } }
