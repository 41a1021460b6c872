package exercise

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/verdict/score"
	"coalmine/tui/card"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/screen"
)

// screensAtCard is how many screens lie above the briefing while the card is shown: the deck and
// the card.
const screensAtCard = 2

// newCard returns the card of the exercise's trial, with keys for the files, the next run and the
// hints.
func (ex *Exercise) newCard(t *liverun.Trial) screen.Screen {
	actions := []card.Action{
		{Key: screen.Key("e", "edit", "e"), Do: ex.editLost},
		{Key: screen.Key("r", "run again", "r"), Do: func(*card.Card) tea.Cmd { return ex.play(screensAtCard, false) }},
		{Key: screen.Key("h", "hints", "h"), Do: func(*card.Card) tea.Cmd { return screen.Open(newHints(ex)) }},
	}
	if ex.quiz != nil && t.Card.Exit == score.ExitPassed {
		actions = append(actions, card.Action{Key: screen.Key("z", "quiz", "z"), Do: func(*card.Card) tea.Cmd {
			return screen.Open(newQuiz(ex))
		}})
	}
	if t.Card.Exit == score.ExitPassed && t.Card.Own == "" {
		next := card.Action{Key: screen.Key("n", "next scenario", "n"), Do: func(*card.Card) tea.Cmd {
			return tea.Sequence(screen.Close, screen.Close, screen.CloseWith(Next{}))
		}}
		actions = append([]card.Action{next}, actions...)
	}
	return card.New(t, card.Options{
		Jump: func(e score.EventRef) tea.Cmd {
			return screen.CloseWith(deck.Jump{Trial: t, To: e})
		},
		Actions: actions,
		Points:  func() string { return ex.points(t.Card) },
		Remark:  ex.remark,
	})
}

// editLost shows the files, with the one selected that the selected rubric item is about.
func (ex *Exercise) editLost(c *card.Card) tea.Cmd {
	file := ex.suggestedFile()
	if item, ok := c.Item(); ok && item.Points < item.Max {
		file = ex.fileForItem(&item)
	}
	return screen.Open(newEditor(ex, screensAtCard+1, file))
}

// points formats the score and the deduction for hints.
func (ex *Exercise) points(c *score.Card) string {
	if ex.hintCost == 0 {
		return fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	return fmt.Sprintf("%d of %d − %d for hints = %d", c.Points, c.MaxPoints, ex.hintCost, netPoints(c, ex.hintCost))
}

// remark returns the line below the verdict.
func (ex *Exercise) remark() string {
	switch {
	case ex.busy != "":
		return ex.busy + " …"
	case ex.notice != "":
		return ex.notice
	case ex.lastTrial == nil:
		return ""
	}
	c := &ex.lastTrial.Card
	text := ""
	if now := netPoints(c, ex.hintCost); ex.previousPoints >= 0 && now != ex.previousPoints {
		text = fmt.Sprintf("%d points before, %d now. ", ex.previousPoints, now)
	}
	switch {
	case c.Exit == score.ExitPassed && c.Own != "":
		text += "A copy of the scenario's own guardrails does not solve it."
	case c.Exit == score.ExitPassed:
		text += "Solved."
		if ex.quiz != nil && ex.entry.QuizOf == 0 {
			text += " Press z for the quiz."
		}
	case c.Exit == score.ExitMissed, c.Exit == score.ExitRolledBack:
		text += "Press e to edit your files, r to run them again."
	}
	return text
}
