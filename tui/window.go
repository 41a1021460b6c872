package tui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// batchInterval is the minimum time between two batches. Without it a trial that plays at full
// speed would redraw the screen as fast as it can.
const batchInterval = 200 * time.Millisecond

// Window is the program's only tea model: a stack of screens, of which the top one is shown.
type Window struct {
	stack         []screen.Screen
	width, height int
	theme         *theme.Theme
	canvas        *canvas.Canvas // reused by Render
	initCmds      []tea.Cmd
	// playing are the trials that are being played.
	playing map[*liverun.Trial]bool

	// rendered caches the view of the current state; "" means that it must be drawn again.
	rendered string
}

// NewWindow returns a window with one screen. cmds start with it.
func NewWindow(first screen.Screen, t *theme.Theme, cmds ...tea.Cmd) *Window {
	return &Window{stack: []screen.Screen{first}, theme: t, initCmds: cmds, playing: map[*liverun.Trial]bool{}}
}

// Init implements [tea.Model].
func (w *Window) Init() tea.Cmd {
	return tea.Batch(append(w.initCmds, tea.RequestBackgroundColor, w.top().Init())...)
}

func (w *Window) top() screen.Screen { return w.stack[len(w.stack)-1] }

// Update implements [tea.Model].
func (w *Window) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	w.rendered = ""
	if len(w.stack) == 0 {
		return w, tea.Quit
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		w.width, w.height = msg.Width, msg.Height
		return w, w.broadcast(msg)
	case tea.ColorProfileMsg:
		w.setTheme(w.theme.Dark, msg.Profile)
		return w, nil
	case tea.BackgroundColorMsg:
		w.setTheme(msg.IsDark(), w.theme.Profile)
		return w, nil
	case tea.KeyPressMsg:
		return w, w.key(msg)
	case tea.MouseMsg, tea.PasteMsg:
		if w.tooSmall() {
			return w, nil
		}
		return w, w.top().Update(msg)
	case liverun.Batch:
		return w, w.applyBatch(msg)
	}
	return w, w.navigate(msg)
}

func (w *Window) setTheme(dark bool, p colorprofile.Profile) {
	t := theme.New(dark, p)
	t.ASCII = w.theme.ASCII
	w.theme = t
}

// key handles the window's own keys and passes the others to the top screen.
func (w *Window) key(msg tea.KeyPressMsg) tea.Cmd {
	typing, _ := w.top().(screen.Typing)
	letters := typing != nil && typing.Typing()
	switch k := msg.String(); {
	case k == "ctrl+c":
		return tea.Interrupt
	case k == "ctrl+z":
		return tea.Suspend
	case k == "q" && !letters:
		return w.quit()
	case w.tooSmall():
		return nil
	case k == "?" && !letters && !w.helpOpen():
		return w.open(newHelp(w.top()))
	}
	return w.top().Update(msg)
}

// broadcast sends a message to all screens.
func (w *Window) broadcast(msg tea.Msg) tea.Cmd {
	var cmds []tea.Cmd
	for _, s := range w.stack {
		cmds = append(cmds, s.Update(msg))
	}
	return tea.Batch(cmds...)
}

func (w *Window) applyBatch(b liverun.Batch) tea.Cmd {
	b.Apply()
	cmd := w.broadcast(b)
	w.playing[b.Trial] = true
	if b.Last {
		delete(w.playing, b.Trial)
		return cmd
	}
	next := tea.Tick(batchInterval, func(time.Time) tea.Msg { return b.Feed.Next() })
	return tea.Batch(cmd, next)
}

func (w *Window) navigate(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case screen.Opened:
		return w.open(msg.Screen)
	case screen.Replaced:
		w.stack[len(w.stack)-1] = msg.Screen
		return msg.Screen.Init()
	case screen.Left:
		return w.leave()
	case screen.Closed:
		w.stack = w.stack[:len(w.stack)-1]
		if len(w.stack) == 0 {
			return tea.Quit
		}
		return tea.Batch(notifyCovered(w.top(), false), w.deliver(msg.Then))
	}
	return w.broadcast(msg)
}

// quit ends the program, if need be after a question.
func (w *Window) quit() tea.Cmd {
	if len(w.playing) == 0 || w.tooSmall() {
		return tea.Quit
	}
	return w.open(&confirm{does: "quit", key: "q", yes: func() tea.Cmd { return tea.Quit }})
}

// leave goes back to the screen below, if there is one. That ends a trial which is being played, so it
// asks first.
func (w *Window) leave() tea.Cmd {
	switch {
	case len(w.stack) == 1:
		return nil
	case len(w.playing) == 0:
		return w.navigate(screen.Closed{})
	}
	return w.open(&confirm{does: "leave", key: "enter", yes: func() tea.Cmd {
		return tea.Sequence(screen.Close, screen.Close)
	}})
}

func (w *Window) deliver(msg tea.Msg) tea.Cmd {
	if msg == nil {
		return nil
	}
	return w.broadcast(msg)
}

func (w *Window) open(s screen.Screen) tea.Cmd {
	below := notifyCovered(w.top(), true)
	w.stack = append(w.stack, s)
	return tea.Batch(below, s.Init())
}

func notifyCovered(s screen.Screen, is bool) tea.Cmd {
	if c, ok := s.(screen.Covered); ok {
		return c.Covered(is)
	}
	return nil
}

func (w *Window) helpOpen() bool {
	_, is := w.top().(*help)
	return is
}

// tooSmall reports whether the terminal is below the minimum size.
func (w *Window) tooSmall() bool { return w.width < screen.MinWidth || w.height < screen.MinHeight }

// View implements [tea.Model].
func (w *Window) View() tea.View {
	if w.rendered == "" && w.width > 0 && w.height > 0 {
		w.rendered = w.Render().String()
	}
	v := tea.NewView(w.rendered)
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "coalmine"
	if n := len(w.stack); n > 0 {
		v.WindowTitle += ": " + w.top().Name()
	}
	return v
}

// Render draws the window.
func (w *Window) Render() *canvas.Canvas {
	w.canvas = w.canvas.Renew(w.width, w.height, w.theme)
	c := w.canvas
	switch {
	case w.tooSmall():
		drawTooSmall(c.All(), w.width, w.height)
	case len(w.stack) > 0:
		w.top().Draw(c.All())
	}
	return c
}

func drawTooSmall(a canvas.Area, width, height int) {
	lines := []string{
		fmt.Sprintf("coalmine needs %d×%d", screen.MinWidth, screen.MinHeight),
		fmt.Sprintf("this terminal has %d×%d", width, height),
		"enlarge it, or press q to quit",
	}
	w, h := a.Size()
	for i, l := range lines {
		a.Text(max(0, (w-canvas.Width(l))/2), max(0, (h-len(lines))/2)+i, theme.Plain, l)
	}
}
