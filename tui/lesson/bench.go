package lesson

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/timeline/story"
	"coalmine/tui/canvas"
	"coalmine/tui/host"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// bench is the learner's files, what the linter says of them, and what the last trial showed of their lines.
type bench struct {
	lesson *Lesson
	// above is how many screens lie on the briefing, this one included.
	above int
	file  string
}

func newBench(l *Lesson, above int, file string) *bench { return &bench{l, above, file} }

// Name implements [screen.Screen].
func (*bench) Name() string { return "files" }

// Init implements [screen.Screen].
func (b *bench) Init() tea.Cmd { return b.lesson.check }

// Keys implements [screen.Screen].
func (*bench) Keys() []screen.Group {
	return []screen.Group{{Title: "Your files", Keys: []screenKey{
		screen.Key("↑ ↓", "choose a file"), screen.Key("e enter", "open it in your editor"), screen.Key("r", "run the files as they are"),
		screen.Key("h", "hints, for points"), screen.Key("esc", "back"),
	}}}
}

// Update implements [screen.Screen].
func (b *bench) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	files := b.lesson.space.Files
	at := slices.Index(files, b.file)
	switch k.String() {
	case "up", "k":
		at--
	case "down", "j":
		at++
	case "e", "enter":
		if at >= 0 {
			return b.lesson.edit(b.file, b.line())
		}
	case "r":
		return b.lesson.play(b.above, true)
	case "h":
		return screen.Open(newHints(b.lesson))
	case "esc":
		return screen.Close
	}
	if len(files) > 0 {
		b.file = files[max(0, min(len(files)-1, at))]
	}
	return nil
}

// line is where the editor begins: at the first error, else where something looked and saw nothing.
func (b *bench) line() int {
	for _, f := range b.lesson.findings {
		if f.File == b.file && f.Error {
			return f.Line
		}
	}
	line, worst := 0, story.Good
	for _, n := range b.lesson.notes(b.file) {
		if n.Tone > worst {
			line, worst = n.From, n.Tone
		}
	}
	return line
}

// Draw implements [screen.Screen].
func (b *bench) Draw(a canvas.Area) {
	l := b.lesson
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "Your guardrails: "+l.space.Dir+"/", b.state())
	pane.Footer(foot, pane.Key{Key: "↑ ↓", Does: "choose"}, pane.Key{Key: "e", Does: "edit"}, pane.Key{Key: "r", Does: "run"},
		pane.Key{Key: "h", Does: "hints"}, pane.Key{Key: "esc", Does: "back"})
	y := 1
	if words, look := b.news(); words != "" {
		for _, line := range pane.Wrap(words, body.Width()-2*margin) {
			body.Text(margin, y, look, line)
			y++
		}
		y++
	}
	for _, f := range l.space.Files {
		look := theme.Plain
		if f == b.file {
			look = theme.Row | theme.Bold
			body.Fill(0, y, body.Width(), look, ' ')
			body.Text(margin-1, y, look, "▸")
		}
		body.Text(margin+1, y, look, canvas.Cut(f, body.Width()/2))
		body.Right(body.Width()-margin, y, look, b.remark(f))
		y++
	}
	_, below := body.Top(y + 1)
	b.drawRemarks(below)
}

// news is what happened last.
func (b *bench) news() (string, theme.Style) {
	l := b.lesson
	switch {
	case l.note != "":
		return l.note, theme.Warn
	case l.busy != "":
		return l.busy + " …", theme.Muted
	case l.edited && l.checked && broken(l.findings) == 0:
		return "You have been to the editor, and the files can be played: r runs them.", theme.Good
	case l.edited && l.checked:
		return "You have been to the editor. The errors below must be mended before a run: e.", theme.Warn
	}
	return "", theme.Plain
}

// state says whether the files can be played.
func (b *bench) state() string {
	l := b.lesson
	n := broken(l.findings)
	switch {
	case !l.checked:
		return ""
	case n > 0:
		return "✗ " + plural(n, "error")
	case len(l.findings) > 0:
		return "✓ can be played, " + plural(len(l.findings), "warning")
	}
	return "✓ can be played"
}

// remark counts what there is to say of a file.
func (b *bench) remark(file string) string {
	errors, warnings := 0, 0
	for _, f := range b.lesson.findings {
		switch {
		case f.File != file:
		case f.Error:
			errors++
		default:
			warnings++
		}
	}
	switch {
	case errors > 0:
		return "✗ " + plural(errors, "error")
	case warnings > 0:
		return "! " + plural(warnings, "warning")
	}
	if n := len(b.lesson.notes(file)); n > 0 {
		return plural(n, "note") + " of the last run"
	}
	return ""
}

// drawRemarks tells what the linter found, and where nothing forbids a run, what the last trial showed of the chosen file.
func (b *bench) drawRemarks(a canvas.Area) {
	y := 0
	if len(b.lesson.findings) > 0 {
		body := pane.Header(a, "What the check says", "")
		for _, f := range b.lesson.findings {
			y = drawRemark(body, y, place(f), finding(f))
		}
		y += 2
	}
	notes := b.lesson.notes(b.file)
	if len(notes) == 0 || broken(b.lesson.findings) > 0 {
		return
	}
	_, rest := a.Top(y)
	body := pane.Header(rest, "What the last run showed of "+b.file, b.run())
	y = 0
	for _, n := range notes {
		y = drawRemark(body, y, fmt.Sprintf("line %d", n.From), remark{pane.Tone(n.Tone), n.Text})
	}
}

// run names the run that the notes are from.
func (b *bench) run() string {
	if b.lesson.scored == nil {
		return ""
	}
	r, _ := b.lesson.scored.Telling()
	return r.Row.Run
}

func place(f host.Finding) string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// remark is a sentence on a place.
type remark struct {
	look theme.Style
	text string
}

func finding(f host.Finding) remark {
	if f.Error {
		return remark{theme.Bad, "error: " + f.Message}
	}
	return remark{theme.Warn, "warning: " + f.Message}
}

// drawRemark writes a place and what is said of it, and returns the line after it.
func drawRemark(a canvas.Area, y int, where string, r remark) int {
	x := max(10, canvas.Width(where)+2)
	if x > a.Width()/3 {
		a.Text(0, y, theme.Accent, canvas.Cut(where, a.Width()))
		x = 4
		y++
	} else {
		a.Text(0, y, theme.Accent, where)
	}
	for _, line := range pane.Wrap(r.text, a.Width()-x-1) {
		a.Text(x, y, r.look, line)
		y++
	}
	return y
}
