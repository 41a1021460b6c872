package exercise

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/format"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/wrap"
)

type screenKey = key.Binding

// wait shows the runs of a trial while they are played, each with its verdict once it is known. At
// the end it becomes the card.
type wait struct{ exercise *Exercise }

func newWait(ex *Exercise) *wait { return &wait{ex} }

// Name implements [screen.Screen].
func (*wait) Name() string { return "playing" }

// Init implements [screen.Screen]: the trial may have ended already.
func (w *wait) Init() tea.Cmd { return w.over() }

// Keys implements [screen.Screen].
func (*wait) Keys() []screen.Group {
	return []screen.Group{{Title: "While the runs play",
		Keys: []screenKey{screen.Key("esc", "watch the runs on the deck")}}}
}

// Update implements [screen.Screen].
func (w *wait) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		if msg.String() == "esc" {
			return screen.Close
		}
	case liverun.Batch:
		if msg.Trial == w.trial() && msg.Last {
			return w.over()
		}
	}
	return nil
}

func (w *wait) trial() *liverun.Trial { return w.exercise.playing.Trial }

func (w *wait) over() tea.Cmd {
	if t := w.trial(); t.Card != nil {
		return screen.Replace(w.exercise.verdict(t))
	}
	return nil
}

// Draw implements [screen.Screen].
func (w *wait) Draw(a canvas.Area) {
	t := w.trial()
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "Running "+t.Scenario+" again", w.exercise.playing.Folder)
	pane.Footer(foot, pane.Key{Key: "esc", Action: "watch the runs"})
	y := 1
	body.Text(margin, y, theme.Muted, "release   seed   verdict")
	for _, r := range t.Runs {
		if r.Role != score.RoleFaulty && r.Role != score.RoleHealthy {
			continue
		}
		y++
		text, style := w.verdict(r)
		body.Text(margin, y, theme.Plain, string(r.Role))
		body.Right(margin+14, y, theme.Plain, fmt.Sprint(r.Seed))
		body.Text(margin+17, y, style, canvas.Truncate(text, body.Width()-margin-18))
	}
	done, others := 0, 0
	for _, r := range t.Runs {
		if r.Role == score.RoleUnguarded || r.Role == score.RoleReference {
			others++
			if r.Status == liverun.Complete {
				done++
			}
		}
	}
	body.Text(margin, y+2, theme.Muted, fmt.Sprintf("%d of %d comparison runs done", done, others))
	body.Text(margin, y+3, theme.Muted, t.CheckText())
	if t.Problem != "" {
		for i, l := range wrap.Text("✗ "+t.Problem, body.Width()-2*margin) {
			body.Text(margin, y+5+i, theme.Bad, l)
		}
	}
}

// verdict returns the verdict or the progress of a run.
func (w *wait) verdict(r *liverun.Run) (string, theme.Style) {
	switch r.Status {
	case liverun.Pending:
		return "·", theme.Muted
	case liverun.Failed:
		return "✗ " + r.Problem, theme.Bad
	case liverun.Playing:
		text := "playing"
		if r.Rec != nil {
			text += ", " + format.Clock(r.Rec.End())
		}
		return text, theme.Muted
	}
	if r.Rec == nil {
		return "✗ no recording", theme.Bad
	}
	j := score.Judge(r.Rec.Timeline(), w.exercise.scenario.Rubric)
	text := strings.ReplaceAll(string(j.Verdict), "-", " ")
	if j.Verdict.Good() {
		return "✓ " + text, theme.Good
	}
	return "✗ " + text + ": " + j.Reason, theme.Bad
}
