// Package tui is the program's terminal user interface: a window with a stack of screens.
//
// The packages below it, each of which may import only those before it:
//
//	theme      styles by meaning, for dark and light terminals of any colour depth
//	canvas     the grid of cells that views draw on, clipped to its size
//	wrap       line breaking
//	chart      line charts and bars
//	markdown   Markdown laid out for a terminal
//	recording  the events of one run, and its state at any time
//	liverun    a trial while it is played: runs, recordings, card, and the feed that fills them
//	screen     the interface of a screen, and the messages between screens and window
//	backend    the interfaces that screens need from the program around them
//	pane       parts of screens: functions that draw a state onto an area
//	deck       the screen that plays back a run
//	card       the screen that explains the score of a trial
//	exercise   the screens of one scenario: briefing, files, hints, quiz
//	home       the list of scenarios
//	plain      the contents of the deck as lines of text
//	asciicast  screen recordings in asciinema's format
//
// A new screen is a type in its own package that implements [screen.Screen]; another screen opens
// it with [screen.Open]. Slow work runs in a tea.Cmd through an interface of package backend and
// comes back as a message. A screen that starts a trial returns [screen.Follow] for its feed: the
// window then applies each batch to the trial and sends it to every screen. The deck and the card
// need only a trial, whether it is being played or was recorded.
//
// None of these packages may import lab/run, lab/cluster or Kubernetes.
package tui
