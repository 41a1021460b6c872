package deck

import (
	"sort"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// moments is the list of moments to jump to.
type moments struct {
	deck    *Deck
	entries []narrative.Entry
	at      int
}

func newMoments(d *Deck) *moments {
	m := &moments{deck: d}
	if r := d.rec(); r != nil {
		for _, e := range r.Narrative() {
			if isKeyMoment(e) || e.Kind == narrative.Gate || e.Kind == narrative.Alert {
				m.entries = append(m.entries, e)
			}
		}
	}
	now := d.clock.at
	m.at = max(0, sort.Search(len(m.entries), func(i int) bool { return m.entries[i].At > now })-1)
	return m
}

// Name implements [screen.Screen].
func (*moments) Name() string { return "moments" }

// Init implements [screen.Screen].
func (*moments) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (*moments) Keys() []screen.Group { return nil }

// Update implements [screen.Screen].
func (m *moments) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch k.String() {
	case "up", "k", "p":
		m.at = max(0, m.at-1)
	case "down", "j", "n":
		m.at = max(0, min(len(m.entries)-1, m.at+1))
	case "home", "g":
		m.at = 0
	case "end", "G":
		m.at = max(0, len(m.entries)-1)
	case "enter", "space":
		if m.at < len(m.entries) {
			m.deck.clock.playing = false
			m.deck.seek(m.entries[m.at].At)
		}
		return screen.Close
	case "esc", "m":
		return screen.Close
	}
	return nil
}

// Draw implements [screen.Screen].
func (m *moments) Draw(a canvas.Area) {
	pane.Bar(a, "Moments of "+m.deck.trial.Runs[m.deck.run].Title(), "")
	rest, foot := a.Bottom(1)
	_, body := rest.Top(2)
	pane.Footer(foot, pane.Key{Key: "↑ ↓", Action: "choose"}, pane.Key{Key: "enter", Action: "show it"},
		pane.Key{Key: "esc", Action: "back"})
	if len(m.entries) == 0 {
		body.Text(2, 0, theme.Muted, "nothing has happened yet")
		return
	}
	first := max(0, min(m.at-body.Height()/2, len(m.entries)-body.Height()))
	for y := range min(body.Height(), len(m.entries)-first) {
		e := m.entries[first+y]
		style := pane.SeverityStyle(e.Severity)
		if first+y == m.at {
			body.Fill(0, y, body.Width(), theme.Row, ' ')
			style = theme.Row | theme.Bold
			body.Rune(0, y, style, '▸')
		}
		body.Text(2, y, style, format.Clock(e.At))
		body.Rune(10, y, style, pane.Symbol(e))
		body.Text(12, y, style, canvas.Truncate(e.Text, body.Width()-13))
	}
}
