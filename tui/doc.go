// Package tui is the program's window: a stack of screens in a terminal, and the way to show it.
//
// The packages below it, each of which knows only those before it:
//
//	theme      meanings and their looks: colours, light and dark, none
//	canvas     the grid of cells that views draw on; nothing can be drawn outside of it
//	chart      line charts, sparklines and tracks of time
//	recording  the events of one run, and its state at any time
//	watch      a trial: runs, their recordings, the card; the feed that fills them
//	screen     the contract of a screen, and how screens ask for one another
//	host       what screens need from the program around them
//	pane       parts of screens: a state and an area in, a picture out
//	deck       the screen on which a run is watched
//	card       the screen on which a trial's points are explained
//	lesson     the screens around them: briefing, files, hints, quiz
//	home       the list of scenarios
//	plain      what the deck shows, in lines of text
//	cast       recordings of a screen for others to watch
//
// A new screen is a type in a package of its own that implements [screen.Screen]; another screen opens it with [screen.Open].
// What takes time is asked of an interface in package host, from a tea.Cmd, and comes back as a message. Whoever begins a trial
// returns [screen.Follow] of its feed: the window then adds the news to the trial, and every screen hears of each batch. The deck and the card are made from a trial alone, whether it is being played or was recorded.
//
// None of these packages knows package lab or Kubernetes.
package tui
