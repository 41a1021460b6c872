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
func (l *Exercise) newCard(t *liverun.Trial) screen.Screen {
	actions := []card.Action{
		{Key: screen.Key("e", "edit", "e"), Do: l.editLost},
		{Key: screen.Key("r", "run again", "r"), Do: func(*card.Card) tea.Cmd { return l.play(screensAtCard, false) }},
		{Key: screen.Key("h", "hints", "h"), Do: func(*card.Card) tea.Cmd { return screen.Open(newHints(l)) }},
	}
	if l.quiz != nil && t.Card.Exit == score.ExitPassed {
		actions = append(actions, card.Action{Key: screen.Key("z", "quiz", "z"), Do: func(*card.Card) tea.Cmd { return screen.Open(newQuiz(l)) }})
	}
	return card.New(t, card.Options{
		Jump: func(e score.EventRef) tea.Cmd {
			return screen.CloseWith(deck.Jump{Trial: t, To: e})
		},
		Actions: actions,
		Points:  func() string { return l.points(t.Card) },
		Remark:  l.remark,
	})
}

// editLost shows the files, with the one selected that the selected rubric item is about.
func (l *Exercise) editLost(c *card.Card) tea.Cmd {
	file := l.suggestedFile()
	if item, ok := c.Item(); ok && item.Points < item.Max {
		file = l.fileForItem(&item)
	}
	return screen.Open(newEditor(l, screensAtCard+1, file))
}

// points formats the score and the deduction for hints.
func (l *Exercise) points(c *score.Card) string {
	if l.hintCost == 0 {
		return fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	return fmt.Sprintf("%d of %d − %d for hints = %d", c.Points, c.MaxPoints, l.hintCost, netPoints(c, l.hintCost))
}

// remark returns the line below the verdict.
func (l *Exercise) remark() string {
	switch {
	case l.busy != "":
		return l.busy + " …"
	case l.notice != "":
		return l.notice
	case l.lastTrial == nil:
		return ""
	}
	c := &l.lastTrial.Card
	text := ""
	if now := netPoints(c, l.hintCost); l.previousPoints >= 0 && now != l.previousPoints {
		text = fmt.Sprintf("%d points before, %d now. ", l.previousPoints, now)
	}
	switch c.Exit {
	case score.ExitPassed:
		text += "Solved."
		if l.quiz != nil && l.entry.QuizOf == 0 {
			text += " Press z for the quiz."
		}
	case score.ExitMissed, score.ExitRolledBack:
		text += "Press e to edit your files, r to run them again."
	}
	return text
}
