// Package home is the first screen: the scenarios of the library by topic, with the learner's
// progress in each.
package home

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
	"coalmine/tui/backend"
	"coalmine/tui/canvas"
	"coalmine/tui/exercise"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// Home is the screen.
type Home struct {
	ctx     context.Context
	backend backend.Backend

	all     []*scenario.Scenario
	entries map[string]progress.Entry
	course  course
	loaded  bool
	// note is a problem, shown once.
	note string

	// selected is the name of the scenario under the cursor.
	selected string
	filter   string
	typing   bool

	// rows are the names of the scenarios by the line in which they were drawn last, in columns
	// below width.
	rows  map[int]string
	width int
}

// New returns the list of a library's scenarios. ctx ends the trials that are started from it.
func New(ctx context.Context, h backend.Backend) *Home { return &Home{ctx: ctx, backend: h} }

// libraryMsg carries the contents of the list.
type libraryMsg struct {
	home    *Home
	all     []*scenario.Scenario
	entries map[string]progress.Entry
	course  course
	note    string
	err     error
}

// course is how far the learner is in the course; next is "" if there is none.
type course struct {
	next          string
	complete, all int
}

// action is what the key of the course does.
func (c course) action() string {
	if c.all > 0 && c.complete == c.all {
		return "replay " + c.next
	}
	return strings.TrimSpace("course: " + c.next)
}

// Name implements [screen.Screen].
func (*Home) Name() string { return "scenarios" }

// Init implements [screen.Screen].
func (h *Home) Init() tea.Cmd { return h.read("") }

// read reads what the list shows. The note is shown if reading has none of its own.
func (h *Home) read(note string) tea.Cmd {
	return func() tea.Msg {
		m := libraryMsg{home: h}
		if m.all, m.err = h.backend.Library.Scenarios(); len(m.all) > 0 {
			m.entries, m.note = h.backend.Progress.Load()
		}
		if l := h.backend.Lessons; l != nil {
			c, err := &m.course, error(nil)
			if c.next, c.complete, c.all, err = l.Next(); err != nil {
				m.note = err.Error()
			}
		}
		m.note = cmp.Or(m.note, note)
		return m
	}
}

// Keys implements [screen.Screen].
func (*Home) Keys() []screen.Group {
	return []screen.Group{{Title: "Scenarios", Keys: []key.Binding{
		screen.Key("↑ ↓", "choose"), screen.Key("enter", "open the briefing"), screen.Key("/", "filter the list"),
		screen.Key("esc", "clear the filter"), screen.Key("home end", "first, last"),
		screen.Key("click", "choose, then open"),
		screen.Key("c", "go on with the course"),
	}}}
}

// Typing implements [screen.Typing].
func (h *Home) Typing() bool { return h.typing }

// Update implements [screen.Screen].
func (h *Home) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case libraryMsg:
		if msg.home == h {
			h.load(msg)
		}
	case lessonMsg:
		if msg.home == h {
			return h.lead(msg)
		}
	case learnedMsg:
		return h.learned(msg)
	case exercise.Next:
		h.setFilter("")
		h.selected = h.suggested()
		return h.open()
	case exercise.Changed:
		if h.entries != nil {
			h.entries[msg.Scenario] = msg.Entry
		}
	case tea.KeyPressMsg:
		if h.typing {
			return h.filterKey(msg)
		}
		return h.key(msg.String())
	case tea.PasteMsg:
		if h.typing {
			h.setFilter(h.filter + msg.Content)
		}
	case tea.MouseClickMsg:
		return h.click(msg.Mouse())
	case tea.MouseWheelMsg:
		if msg.Button == tea.MouseWheelUp {
			h.move(-1)
		} else {
			h.move(1)
		}
	}
	return nil
}

func (h *Home) load(m libraryMsg) {
	h.loaded, h.note, h.entries, h.course = true, m.note, m.entries, m.course
	if h.entries == nil {
		h.entries = map[string]progress.Entry{}
	}
	if m.err != nil {
		h.note = m.err.Error()
	}
	h.all = slices.Clone(m.all)
	scenario.Sort(h.all)
	h.selected = h.suggested()
}

// suggested returns the easiest scenario that is not solved yet.
func (h *Home) suggested() string {
	next := scenario.Next(h.all, func(name string) bool { return h.entries[name].Solved })
	if next == "" && len(h.all) > 0 {
		next = h.all[0].Name
	}
	return next
}

// isNew reports whether the learner has no progress yet.
func (h *Home) isNew() bool {
	for _, e := range h.entries {
		if e.Started() {
			return false
		}
	}
	return h.loaded
}

// visible returns the scenarios that contain all words of the filter.
func (h *Home) visible() []*scenario.Scenario {
	words := strings.Fields(strings.ToLower(h.filter))
	var kept []*scenario.Scenario
	for _, s := range h.all {
		text := strings.ToLower(strings.Join(append([]string{s.Name, s.Title, s.Summary, s.Topic,
			fmt.Sprint("level ", s.Level)}, s.Teaches...), " "))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			kept = append(kept, s)
		}
	}
	return kept
}

func (h *Home) selectedIndex(shown []*scenario.Scenario) int {
	return slices.IndexFunc(shown, func(s *scenario.Scenario) bool { return s.Name == h.selected })
}

func (h *Home) move(by int) {
	shown := h.visible()
	if len(shown) > 0 {
		h.selected = shown[max(0, min(len(shown)-1, h.selectedIndex(shown)+by))].Name
	}
}

func (h *Home) setFilter(filter string) {
	h.filter = canvas.Truncate(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, filter), 60)
	if shown := h.visible(); len(shown) > 0 && h.selectedIndex(shown) < 0 {
		h.selected = shown[0].Name
	}
}

// filterKey handles a key while the filter is edited.
func (h *Home) filterKey(msg tea.KeyPressMsg) tea.Cmd {
	switch k := msg.String(); k {
	case "esc":
		h.typing = false
		h.setFilter("")
	case "enter":
		h.typing = false
		if len(h.visible()) == 1 {
			return h.open()
		}
	case "up", "down":
		return h.key(k)
	case "backspace":
		if r := []rune(h.filter); len(r) > 0 {
			h.setFilter(string(r[:len(r)-1]))
		}
	case "ctrl+u":
		h.setFilter("")
	default:
		h.setFilter(h.filter + msg.Text)
	}
	return nil
}

func (h *Home) key(k string) tea.Cmd {
	switch k {
	case "up", "k":
		h.move(-1)
	case "down", "j":
		h.move(1)
	case "pgup", "home", "g":
		h.move(-len(h.all))
	case "pgdown", "end", "G":
		h.move(len(h.all))
	case "/":
		h.typing = true
	case "esc":
		h.setFilter("")
	case "enter", "space", "right", "l":
		return h.open()
	case "c":
		return h.learn()
	}
	return nil
}

// click selects the scenario under the pointer, and opens it if it is selected already.
func (h *Home) click(m tea.Mouse) tea.Cmd {
	name, ok := h.rows[m.Y]
	if !ok || m.X >= h.width || m.Button != tea.MouseLeft {
		return nil
	}
	if name == h.selected {
		return h.open()
	}
	h.selected = name
	return nil
}

// open opens the selected scenario.
func (h *Home) open() tea.Cmd {
	shown := h.visible()
	i := h.selectedIndex(shown)
	if i < 0 {
		return nil
	}
	h.note = ""
	s := shown[i]
	return screen.Open(exercise.NewPage(exercise.New(h.ctx, h.backend, s, h.entries[s.Name])))
}

// Draw implements [screen.Screen].
func (h *Home) Draw(a canvas.Area) {
	head, rest := a.Top(1)
	rest, foot := rest.Bottom(1)
	shown := h.visible()
	pane.Bar(head, "coalmine · a flight simulator for progressive delivery", h.progress())
	if h.typing {
		pane.Footer(foot, pane.Key{Key: "enter", Action: "apply"}, pane.Key{Key: "esc", Action: "clear"})
	} else {
		keys := []pane.Key{{Key: "↑ ↓", Action: "choose"}, {Key: "enter", Action: "open"}, {Key: "/", Action: "find"}}
		if h.backend.Lessons != nil {
			keys = append(keys, pane.Key{Key: "c", Action: h.course.action()})
		}
		if h.filter != "" {
			keys = append(keys, pane.Key{Key: "esc", Action: "clear the filter"})
		}
		pane.Footer(foot, keys...)
	}
	rest = h.drawLine(rest)
	list, about := rest.Bottom(min(9, rest.Height()/2))
	if rest.Width() >= 110 {
		list, about = rest.Left(rest.Width() * 55 / 100)
	}
	h.rows, h.width = map[int]string{}, list.Width()
	h.drawList(list, shown, a.Height()-1-rest.Height())
	h.drawAbout(about, shown)
}

func (h *Home) progress() string {
	solved := 0
	for _, s := range h.all {
		if h.entries[s.Name].Solved {
			solved++
		}
	}
	if !h.loaded {
		return ""
	}
	text := fmt.Sprintf("%d of %d solved", solved, len(h.all))
	if h.course.next != "" {
		text += fmt.Sprintf(" · course %d of %d", h.course.complete, h.course.all)
	}
	return text
}

// drawLine draws the line below the top: a problem, the filter, or how to start. It returns the
// rest of the area.
func (h *Home) drawLine(a canvas.Area) canvas.Area {
	text, style := "", theme.Plain
	switch {
	case h.typing || h.filter != "":
		text = "/" + h.filter
		if h.typing {
			text += "▏"
		}
		style = theme.Accent
	case h.note != "":
		text, style = h.note, theme.Warn
	case !h.loaded:
		text, style = "loading the scenarios …", theme.Muted
	case h.isNew():
		text, style = "New here? Choose a scenario with ↑ ↓ and press enter. Press ? for all keys.", theme.Accent
		if h.course.next != "" {
			text = "New here? Press c for the course, or choose a scenario with ↑ ↓ and press enter."
		}
	default:
		return a
	}
	lines := wrap.Text(text, a.Width()-4)
	lines = lines[:min(len(lines), 4)]
	top, rest := a.Top(len(lines) + 1)
	for i, l := range lines {
		top.Text(2, i+1, style, l)
	}
	return rest
}

// drawList draws the scenarios below their topics, scrolled so that the selected one is visible. top
// is the line of the screen in which the area starts.
func (h *Home) drawList(a canvas.Area, shown []*scenario.Scenario, top int) {
	if h.loaded && len(shown) == 0 {
		a.Text(2, 1, theme.Muted, "no scenario matches; press esc to clear the filter")
		return
	}
	type line struct {
		topic string
		of    *scenario.Scenario
	}
	var lines []line
	topic, at := "", 0
	for _, s := range shown {
		if s.Topic != topic {
			topic = s.Topic
			lines = append(lines, line{}, line{topic: topic})
		}
		if s.Name == h.selected {
			at = len(lines)
		}
		lines = append(lines, line{of: s})
	}
	first := max(0, min(at-a.Height()/2, len(lines)-a.Height()))
	for y := range min(a.Height(), len(lines)-first) {
		switch l := lines[first+y]; {
		case l.of != nil:
			h.drawScenario(a, y, l.of)
			h.rows[top+y] = l.of.Name
		case l.topic != "":
			a.Text(2, y, theme.Bold, l.topic)
		}
	}
	if first > 0 {
		a.Right(a.Width(), 0, theme.Accent, "↑")
	}
	if first+a.Height() < len(lines) {
		a.Right(a.Width(), a.Height()-1, theme.Accent, "↓")
	}
}

func (h *Home) drawScenario(a canvas.Area, y int, s *scenario.Scenario) {
	e := h.entries[s.Name]
	nameStyle, levelStyle := theme.Plain, theme.Muted
	symbol, symbolStyle := " ", theme.Plain
	switch {
	case e.Solved:
		symbol, symbolStyle = "✓", theme.Good
	case e.Started():
		symbol, symbolStyle = "◐", theme.Warn
	}
	if s.Name == h.selected {
		a.Fill(1, y, a.Width()-2, theme.Row, ' ')
		a.Text(1, y, theme.Row|theme.Bold, "▸")
		nameStyle, levelStyle, symbolStyle = theme.Row|theme.Bold, theme.Row, theme.Row|theme.Bold
	}
	a.Text(3, y, symbolStyle, symbol)
	a.Text(5, y, nameStyle, canvas.Truncate(s.Name, 20))
	a.Text(26, y, levelStyle, fmt.Sprintf("level %d", s.Level))
	end := a.Width() - 2
	if e.Trials > 0 {
		score := fmt.Sprintf("%d/%d", e.Points, e.Of)
		a.Right(end, y, symbolStyle, score)
		end -= canvas.Width(score) + 2
	}
	a.Text(35, y, nameStyle, canvas.Truncate(s.Title, end-35))
}

// drawAbout draws the details of the selected scenario.
func (h *Home) drawAbout(a canvas.Area, shown []*scenario.Scenario) {
	i := h.selectedIndex(shown)
	if i < 0 {
		return
	}
	s := shown[i]
	body := pane.Header(a, s.Title, "")
	body = body.Pad(1)
	y := 0
	for _, l := range wrap.Text(s.Summary, body.Width()) {
		body.Text(0, y, theme.Plain, l)
		y++
	}
	if e := h.entries[s.Name]; e.Started() {
		body.Text(0, y, theme.Muted, canvas.Truncate(progressText(e), body.Width()))
		y++
	}
	for i, teaches := range s.Teaches {
		if i == 0 {
			y++
		}
		for j, l := range wrap.Text(teaches, body.Width()-2) {
			if j == 0 {
				body.Text(0, y, theme.Accent, "•")
			}
			body.Text(2, y, theme.Muted, l)
			y++
		}
	}
}

// progressText describes the progress in a scenario.
func progressText(e progress.Entry) string {
	var parts []string
	if e.Trials > 0 {
		best := fmt.Sprintf("best %d of %d", e.Points, e.Of)
		if e.Cost > 0 {
			best += fmt.Sprintf(" (%d deducted for hints)", e.Cost)
		}
		parts = append(parts, best, fmt.Sprintf("trials: %d", e.Trials))
	}
	if e.Hints > 0 {
		parts = append(parts, fmt.Sprintf("hints: %d", e.Hints))
	}
	if e.SolutionPlayed {
		parts = append(parts, "solution played")
	}
	if e.QuizOf > 0 {
		parts = append(parts, fmt.Sprintf("quiz: %d of %d", e.QuizRight, e.QuizOf))
	}
	return strings.Join(parts, " · ")
}
