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
)

type screenKey = key.Binding

// wait shows the runs of a trial while they are played, with the verdict of each as soon as it is known, and becomes the card.
type wait struct{ exercise *Exercise }

func newWait(l *Exercise) *wait { return &wait{l} }

// Name implements [screen.Screen].
func (*wait) Name() string { return "playing" }

// Init implements [screen.Screen]: the trial may be over already.
func (w *wait) Init() tea.Cmd { return w.over() }

// Keys implements [screen.Screen].
func (*wait) Keys() []screen.Group {
	return []screen.Group{{Title: "While it plays", Keys: []screenKey{screen.Key("esc", "watch the runs on the deck")}}}
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
		return screen.Replace(w.exercise.newCard(t))
	}
	return nil
}

// Draw implements [screen.Screen].
func (w *wait) Draw(a canvas.Area) {
	t := w.trial()
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	pane.Bar(head, "Playing "+t.Scenario+" again", w.exercise.playing.Folder)
	pane.Footer(foot, pane.Key{Key: "esc", Action: "watch the runs"})
	y := 1
	body.Text(margin, y, theme.Muted, "release   seed   verdict")
	for _, r := range t.Runs {
		if r.Part != score.RoleFaulty && r.Part != score.RoleHealthy {
			continue
		}
		y++
		words, look := w.verdict(r)
		body.Text(margin, y, theme.Plain, string(r.Part))
		body.Right(margin+14, y, theme.Plain, fmt.Sprint(r.Seed))
		body.Text(margin+17, y, look, canvas.Truncate(words, body.Width()-margin-18))
	}
	done, others := 0, 0
	for _, r := range t.Runs {
		if r.Part == score.RoleUnguarded || r.Part == score.RoleReference {
			others++
			if r.Status == liverun.Complete {
				done++
			}
		}
	}
	body.Text(margin, y+2, theme.Muted, fmt.Sprintf("%d of %d runs to compare with", done, others))
	if t.Problem != "" {
		for i, l := range pane.Wrap("✗ "+t.Problem, body.Width()-2*margin) {
			body.Text(margin, y+4+i, theme.Bad, l)
		}
	}
}

// verdict of one run, as far as it goes.
func (w *wait) verdict(r *liverun.Run) (string, theme.Style) {
	switch r.Status {
	case liverun.Pending:
		return "·", theme.Muted
	case liverun.Failed:
		return "✗ " + r.Problem, theme.Bad
	case liverun.Playing:
		words := "playing"
		if r.Rec != nil {
			words += ", " + format.Clock(r.Rec.End())
		}
		return words, theme.Muted
	}
	if r.Rec == nil {
		return "✗ nothing was recorded", theme.Bad
	}
	j := score.Judge(r.Rec.Timeline(), w.exercise.scenario.Rubric)
	words := strings.ReplaceAll(string(j.Verdict), "-", " ")
	if j.Verdict.Good() {
		return "✓ " + words, theme.Good
	}
	return "✗ " + words + ": " + j.Reason, theme.Bad
}
