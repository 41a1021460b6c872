package backendtest

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"coalmine/tui/canvas"
)

// Driver drives a window as bubbletea does: messages one by one, commands concurrently.
type Driver struct {
	t     testing.TB
	model tea.Model
	size  tea.WindowSizeMsg
	msgs  chan tea.Msg
	done  chan struct{}
	// Quit is set when the window has quit; Edited counts the processes that it started.
	Quit   bool
	Edited int
}

// waitTimeout bounds the wait for something that should come at once.
const waitTimeout = 20 * time.Second

// NewDriver starts a window of a size. Its commands end with the test.
func NewDriver(t testing.TB, m tea.Model, width, height int) *Driver {
	s := &Driver{t: t, model: m, msgs: make(chan tea.Msg), done: make(chan struct{})}
	t.Cleanup(func() { close(s.done) })
	s.start(m.Init())
	s.Send(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// start runs a command concurrently.
func (s *Driver) start(cmd tea.Cmd) {
	if cmd != nil {
		go s.run(cmd)
	}
}

func (s *Driver) run(cmd tea.Cmd) {
	msg := cmd()
	if all := reflect.ValueOf(msg); all.IsValid() && all.Kind() == reflect.Slice &&
		all.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
		for i := range all.Len() {
			each, _ := all.Index(i).Interface().(tea.Cmd)
			switch _, batch := msg.(tea.BatchMsg); {
			case each == nil:
			case batch:
				go s.run(each)
			default: // a sequence
				s.run(each)
			}
		}
		return
	}
	select {
	case s.msgs <- msg:
	case <-s.done:
	}
}

// Send sends a message to the window.
func (s *Driver) Send(msg tea.Msg) {
	switch msg.(type) {
	case nil:
		return
	case tea.QuitMsg, tea.InterruptMsg:
		s.Quit = true
		return
	}
	switch name := reflect.TypeOf(msg).String(); { // handled by bubbletea itself
	case strings.HasSuffix(name, ".execMsg"):
		s.Edited++
		return
	case strings.HasSuffix(name, ".windowSizeMsg"):
		msg = s.size
	}
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		s.size = size
	}
	var cmd tea.Cmd
	s.model, cmd = s.model.Update(msg)
	s.start(cmd)
}

// Press presses keys, by bubbletea's names.
func (s *Driver) Press(keys ...string) {
	for _, k := range keys {
		s.Send(Key(k))
	}
}

// Key returns the message of a key.
func Key(name string) tea.KeyPressMsg {
	codes := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"enter": tea.KeyEnter,
		"esc":   tea.KeyEscape, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
		"tab":       tea.KeyTab,
		"backspace": tea.KeyBackspace}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(rest[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// View returns the contents of the window without colours.
func (s *Driver) View() string {
	w := s.model.(interface{ Render() *canvas.Canvas })
	return strings.Join(w.Render().Lines(), "\n") + "\n"
}

// WaitFor handles messages until the view contains a text.
func (s *Driver) WaitFor(text string) {
	s.t.Helper()
	s.WaitWhile(func() bool { return !strings.Contains(s.View(), text) }, text)
}

// WaitWhile handles messages as long as holds returns true.
func (s *Driver) WaitWhile(holds func() bool, what string) {
	s.t.Helper()
	late := time.After(waitTimeout)
	for holds() {
		select {
		case msg := <-s.msgs:
			s.Send(msg)
		case <-late:
			s.t.Fatalf("%q did not come; the window shows\n%s", what, s.View())
		}
	}
}

// Drain handles the messages that are pending.
func (s *Driver) Drain() {
	for range 8 {
		runtime.Gosched()
		select {
		case msg := <-s.msgs:
			s.Send(msg)
		default:
		}
	}
}

// Golden compares a text with a file of the test's testdata folder, which UPDATE_GOLDEN=1 in the
// environment rewrites.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run with UPDATE_GOLDEN=1:\n%s", path, diff)
	}
}

// AssertFits fails if a view is larger than its size.
func AssertFits(t interface{ Fatalf(string, ...any) }, view string, width, height int) {
	lines := strings.Split(strings.TrimSuffix(view, "\n"), "\n")
	if len(lines) != height {
		t.Fatalf("the view has %d lines, want %d", len(lines), height)
	}
	for _, l := range lines {
		if w := canvas.Width(l); w > width {
			t.Fatalf("a line has %d columns of %d: %q", w, width, l)
		}
	}
}
