package tui

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"coalmine/lab/verdict/score"
	"coalmine/tui/card"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// newDeck returns a deck with its card, as the program makes it.
func newDeck(t *liverun.Trial) screen.Screen {
	return deck.New(t, deck.Options{Card: func(t *liverun.Trial) screen.Screen {
		return card.New(t, card.Options{Jump: func(e score.EventRef) tea.Cmd {
			return screen.CloseWith(deck.Jump{Trial: t, To: e})
		}})
	}})
}

// stage is a window whose messages are delivered at once. It runs in a synctest bubble, where
// waiting takes no time.
type stage struct {
	*Window
	ended bool
}

func newStage(s screen.Screen, width, height int) *stage {
	st := &stage{Window: NewWindow(s, theme.New(true, colorprofile.TrueColor))}
	st.do(st.Init(), 0)
	st.send(tea.WindowSizeMsg{Width: width, Height: height})
	return st
}

func (s *stage) send(msg tea.Msg) {
	_, cmd := s.Update(msg)
	s.do(cmd, 0)
}

// most is how many messages may follow from one: ticks would follow for ever.
const most = 4

func (s *stage) do(cmd tea.Cmd, depth int) {
	if cmd == nil || depth > most {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.QuitMsg, tea.InterruptMsg:
		s.ended = true
	case tea.BatchMsg:
		for _, c := range msg {
			s.do(c, depth+1)
		}
	default:
		_, next := s.Update(msg)
		s.do(next, depth+1)
	}
}

func (s *stage) keys(names ...string) {
	for _, n := range names {
		s.send(keyOf(n))
	}
}

func (s *stage) shows(t *testing.T, text string) {
	t.Helper()
	if got := ansi.Strip(s.View().Content); !strings.Contains(got, text) {
		t.Errorf("%q is not shown:\n%s", text, got)
	}
}

// keyOf returns the key press of a name.
func keyOf(name string) tea.KeyPressMsg {
	codes := map[string]rune{
		"space": tea.KeySpace, "tab": tea.KeyTab, "enter": tea.KeyEnter, "home": tea.KeyHome, "end": tea.KeyEnd,
		"left":  tea.KeyLeft,
		"right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown, "esc": tea.KeyEscape,
	}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if letter, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// messages are what a user and a terminal may send.
func messages() *rapid.Generator[tea.Msg] {
	names := []string{"space", "tab", "enter", "home", "end", "left", "right", "up", "down", "esc", "+", "-", "n", "p",
		"[", "]", "m", "u", "w", "v", "c",
		"b", "1", "2", "3", "4", "5", "?", "H", "L", "g", "G", "x", "ctrl+z"}
	return rapid.Custom(func(t *rapid.T) tea.Msg {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return tea.WindowSizeMsg{Width: rapid.IntRange(0, 240).Draw(t, "width"),
				Height: rapid.IntRange(0, 70).Draw(t, "height")}
		case 1:
			return tea.MouseClickMsg{X: rapid.IntRange(-5, 250).Draw(t, "x"), Y: rapid.IntRange(-5, 80).Draw(t, "y"),
				Button: tea.MouseLeft}
		case 2:
			return tea.MouseWheelMsg{Button: tea.MouseWheelDown}
		case 3:
			return tea.ColorProfileMsg{Profile: rapid.SampledFrom(
				[]colorprofile.Profile{colorprofile.ASCII, colorprofile.ANSI, colorprofile.TrueColor}).Draw(
				t, "profile")}
		}
		return keyOf(rapid.SampledFrom(names).Draw(t, "key"))
	})
}

// TestRandomKeys presses keys, moves the mouse and resizes the terminal at random: nothing panics,
// and the view is exactly as large as the terminal.
func TestRandomKeys(t *testing.T) {
	trials := []*liverun.Trial{liveruntest.Caught(), liveruntest.Missed(),
		{Scenario: "empty", Runs: []*liverun.Run{{Name: "faulty-seed1"}}}}
	rapid.Check(t, func(rt *rapid.T) {
		tr := rapid.SampledFrom(trials).Draw(rt, "trial")
		all := rapid.SliceOfN(messages(), 1, 40).Draw(rt, "messages")
		wrong := ""
		synctest.Test(t, func(*testing.T) {
			s := newStage(newDeck(tr), 80, 24)
			for _, msg := range all {
				if s.send(msg); s.ended {
					return
				}
				if wrong = s.misshapen(); wrong != "" {
					return
				}
			}
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// misshapen returns what is wrong with the size of the view, or "".
func (s *stage) misshapen() string {
	content := s.View().Content
	if s.width == 0 || s.height == 0 {
		return ""
	}
	lines := strings.Split(content, "\n")
	if len(lines) != s.height {
		return fmt.Sprintf("%d lines on a terminal of %d", len(lines), s.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidthWc(l); w != s.width {
			return fmt.Sprintf("line %d has %d columns on a terminal of %d: %q", i, w, s.width, l)
		}
	}
	return ""
}

func TestNavigation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newDeck(liveruntest.Missed()), 80, 24)
		s.shows(t, "Rollout")
		s.keys("?")
		s.shows(t, "next decision")
		s.keys("?")
		s.shows(t, "Rollout")
		s.keys("space", "end", "enter")
		s.shows(t, "INCIDENT MISSED")
		s.keys("down", "enter") // the healthy release was delivered
		s.shows(t, "healthy, seed 1")
		s.shows(t, "paused")
		s.keys("m")
		s.shows(t, "Moments of healthy")
		s.keys("up", "up", "enter")
		s.shows(t, "Rollout")
		s.keys("q")
		if !s.ended {
			t.Error("q on the last screen does not end the program")
		}
	})
}

func TestSmallTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newDeck(liveruntest.Caught()), 79, 24)
		s.shows(t, "coalmine needs 80×24")
		s.shows(t, "this terminal has 79×24")
		before := s.stack[0].(*deck.Deck).Now()
		s.keys("n", "c", "?") // are for screens that can be seen
		s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
		s.shows(t, "Rollout")
		if after := s.stack[0].(*deck.Deck).Now(); after != before {
			t.Errorf("keys that could not be seen led from %v to %v", before, after)
		}
		s.send(tea.WindowSizeMsg{Width: 3, Height: 1})
		s.keys("q")
		if !s.ended {
			t.Error("q does not end the program")
		}
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newDeck(liveruntest.Caught()), 80, 24)
		s.keys("c", "?", "ctrl+c")
		if !s.ended {
			t.Error("ctrl+c does not end the program from any screen")
		}
	})
}

// typist is a screen that takes text.
type typist struct {
	screen.Screen
	text string
}

func (*typist) Typing() bool { return true }
func (p *typist) Update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		p.text += k.Text
	}
	return nil
}

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &typist{Screen: newDeck(liveruntest.Caught())}
		s := newStage(p, 80, 24)
		s.keys("q", "?", "x")
		if p.text != "q?x" || s.ended {
			t.Errorf("the text is %q, ended %v", p.text, s.ended)
		}
	})
}

// TestCoveredDeckPauses: time must not pass on a deck that is covered.
func TestCoveredDeckPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newDeck(liveruntest.Caught()), 80, 24)
		s.keys("?")
		before := s.stack[0].(*deck.Deck).Now()
		time.Sleep(time.Minute)
		s.send(nil)
		if after := s.stack[0].(*deck.Deck).Now(); after != before {
			t.Errorf("under the help time went from %v to %v", before, after)
		}
		s.keys("?")
		if after := s.stack[0].(*deck.Deck).Now(); after <= before {
			t.Errorf("after the help time stays at %v", after)
		}
	})
}

// TestCoveredScreensReceiveMessages: a deck below the help learns the terminal's new size.
func TestCoveredScreensReceiveMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newDeck(liveruntest.Caught()), 80, 24)
		s.keys("space", "?")
		s.send(tea.WindowSizeMsg{Width: 120, Height: 40})
		s.keys("?")
		s.send(tea.MouseClickMsg{X: 120 - 8, Y: 38, Button: tea.MouseLeft})
		if at := s.stack[0].(*deck.Deck).Now(); at != 255*time.Second {
			t.Errorf("a click at the end of the time line leads to %v", at)
		}
	})
}

func TestSupportsUnicode(t *testing.T) {
	for env, want := range map[string]bool{
		"": true, "LANG=en_GB.UTF-8": true, "LANG=C": false, "LC_ALL=C LANG=en_GB.UTF-8": false,
		"LC_CTYPE=de_DE.utf8 LANG=C":  true,
		"TERM=linux LANG=en_GB.UTF-8": false, "LC_ALL= LANG=en_GB.UTF-8": true,
	} {
		if got := supportsUnicode(strings.Fields(env)); got != want {
			t.Errorf("%s: Unicode %v, want %v", env, got, want)
		}
	}
}
