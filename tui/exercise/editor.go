package exercise

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/tui/backend"
	"coalmine/tui/canvas"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

// editor is the screen of the learner's files, with the linter's findings and what the last trial
// showed about their lines.
type editor struct {
	exercise *Exercise
	// above is how many screens lie above the briefing, this one included.
	above int
	file  string
}

func newEditor(ex *Exercise, above int, file string) *editor { return &editor{ex, above, file} }

// Name implements [screen.Screen].
func (*editor) Name() string { return "files" }

// Init implements [screen.Screen].
func (b *editor) Init() tea.Cmd { return b.exercise.check }

// Keys implements [screen.Screen].
func (*editor) Keys() []screen.Group {
	return []screen.Group{{Title: "Your files", Keys: []screenKey{
		screen.Key("↑ ↓", "choose a file"), screen.Key("e enter", "open it in your editor"),
		screen.Key("r", "run the files"),
		screen.Key("h", "hints (cost points)"), screen.Key("esc", "back"),
	}}}
}

// Update implements [screen.Screen].
func (b *editor) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	files := b.exercise.workspace.Files
	at := slices.Index(files, b.file)
	switch k.String() {
	case "up", "k":
		at--
	case "down", "j":
		at++
	case "e", "enter":
		if at >= 0 {
			return b.exercise.edit(b.file, b.line())
		}
	case "r":
		return b.exercise.play(b.above, true)
	case "h":
		return screen.Open(newHints(b.exercise))
	case "esc":
		return screen.Close
	}
	if len(files) > 0 {
		b.file = files[max(0, min(len(files)-1, at))]
	}
	return nil
}

// line returns where the editor opens the file: at the first error, else at the most severe note.
func (b *editor) line() int {
	for _, f := range b.exercise.findings {
		if f.File == b.file && f.Error {
			return f.Line
		}
	}
	line, worst := 0, narrative.Good
	for _, n := range b.exercise.notes(b.file) {
		if n.Severity > worst {
			line, worst = n.From, n.Severity
		}
	}
	return line
}

// Draw implements [screen.Screen].
func (b *editor) Draw(a canvas.Area) {
	ex := b.exercise
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "Your guardrails: "+ex.workspace.Dir+"/", b.status())
	pane.Footer(foot, pane.Key{Key: "↑ ↓", Action: "choose"}, pane.Key{Key: "e", Action: "edit"},
		pane.Key{Key: "r", Action: "run"},
		pane.Key{Key: "h", Action: "hints"}, pane.Key{Key: "esc", Action: "back"})
	y := 1
	if text, style := b.notice(); text != "" {
		for _, line := range wrap.Text(text, body.Width()-2*margin) {
			body.Text(margin, y, style, line)
			y++
		}
		y++
	}
	for _, f := range ex.workspace.Files {
		style := theme.Plain
		if f == b.file {
			style = theme.Row | theme.Bold
			body.Fill(0, y, body.Width(), style, ' ')
			body.Text(margin-1, y, style, "▸")
		}
		body.Text(margin+1, y, style, canvas.Truncate(f, body.Width()/2))
		body.Right(body.Width()-margin, y, style, b.fileSummary(f))
		y++
	}
	_, below := body.Top(y + 1)
	b.drawMessages(below)
}

// notice returns the latest message.
func (b *editor) notice() (string, theme.Style) {
	ex := b.exercise
	switch {
	case ex.notice != "":
		return ex.notice, theme.Warn
	case ex.busy != "":
		return ex.busy + " …", theme.Muted
	case ex.edited && ex.checked && errorCount(ex.findings) == 0:
		return "The edited files are valid. Press r to run them.", theme.Good
	case ex.edited && ex.checked:
		return "The edited files have errors. Fix them before the next run: press e.", theme.Warn
	}
	return "", theme.Plain
}

// status says whether the files can be run.
func (b *editor) status() string {
	ex := b.exercise
	warnings, notes := b.others("", true)
	switch n := errorCount(ex.findings); {
	case !ex.checked:
		return ""
	case n > 0:
		return "✗ " + format.Plural(n, "error")
	case warnings > 0:
		return "✓ valid, " + format.Plural(warnings, "warning")
	case notes > 0:
		return "✓ valid, " + format.Plural(notes, "note")
	}
	return "✓ valid"
}

// others counts the findings on a file, or on all of them, that do not prevent a run.
func (b *editor) others(file string, all bool) (warnings, notes int) {
	for _, f := range b.exercise.findings {
		switch {
		case !all && f.File != file, f.Error:
		case f.Note:
			notes++
		default:
			warnings++
		}
	}
	return warnings, notes
}

// fileSummary counts the findings or notes on a file.
func (b *editor) fileSummary(file string) string {
	errors := 0
	for _, f := range b.exercise.findings {
		if f.File == file && f.Error {
			errors++
		}
	}
	warnings, remarks := b.others(file, false)
	switch {
	case errors > 0:
		return "✗ " + format.Plural(errors, "error")
	case warnings > 0:
		return "! " + format.Plural(warnings, "warning")
	case remarks > 0:
		return format.Plural(remarks, "note")
	}
	if n := len(b.exercise.notes(file)); n > 0 {
		return format.Plural(n, "note") + " from the last run"
	}
	return ""
}

// drawMessages draws the linter's findings, and, unless there are errors, the notes of the last
// trial on the selected file.
func (b *editor) drawMessages(a canvas.Area) {
	y := 0
	if len(b.exercise.findings) > 0 {
		body := pane.Header(a, "Lint results", "")
		for _, f := range b.exercise.findings {
			y = drawMessage(body, y, findingPosition(f), findingMessage(f))
		}
		y += 2
	}
	notes := b.exercise.notes(b.file)
	if len(notes) == 0 || errorCount(b.exercise.findings) > 0 {
		return
	}
	_, rest := a.Top(y)
	body := pane.Header(rest, "Notes from the last run on "+b.file, b.run())
	y = 0
	for _, n := range notes {
		y = drawMessage(body, y, fmt.Sprintf("line %d", n.From), message{pane.SeverityStyle(n.Severity), n.Text})
	}
}

// run names the run that the notes are from.
func (b *editor) run() string {
	if b.exercise.lastTrial == nil {
		return ""
	}
	r, _ := b.exercise.lastTrial.Highlight()
	return r.Row.Run
}

func findingPosition(f backend.Finding) string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// message is a styled text about a position.
type message struct {
	style theme.Style
	text  string
}

func findingMessage(f backend.Finding) message {
	if f.Error {
		return message{theme.Bad, "error: " + f.Message}
	}
	if f.Note {
		return message{theme.Muted, "note: " + f.Message}
	}
	return message{theme.Warn, "warning: " + f.Message}
}

// drawMessage draws a position and its message, and returns the next line.
func drawMessage(a canvas.Area, y int, where string, r message) int {
	x := max(10, canvas.Width(where)+2)
	if x > a.Width()/3 {
		a.Text(0, y, theme.Accent, canvas.Truncate(where, a.Width()))
		x = 4
		y++
	} else {
		a.Text(0, y, theme.Accent, where)
	}
	for _, line := range wrap.Text(r.text, a.Width()-x-1) {
		a.Text(x, y, r.style, line)
		y++
	}
	return y
}
