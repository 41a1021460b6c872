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

// screensAtCard is how many screens lie on the briefing while the card is read: the deck, and the card itself.
const screensAtCard = 2

// newCard is the card of a lesson's trial: it leads on to the files, to the next run and to the hints.
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

// editLost shows the files, with the one chosen that the selected item of the rubric is about.
func (l *Exercise) editLost(c *card.Card) tea.Cmd {
	file := l.suggestedFile()
	if item, ok := c.Item(); ok && item.Points < item.Max {
		file = l.fileForItem(&item)
	}
	return screen.Open(newEditor(l, screensAtCard+1, file))
}

// points writes what was reached, and what the hints took of it.
func (l *Exercise) points(c *score.Card) string {
	if l.hintCost == 0 {
		return fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	return fmt.Sprintf("%d of %d − %d for hints = %d", c.Points, c.MaxPoints, l.hintCost, netPoints(c, l.hintCost))
}

// remark tells what is worth knowing beside the verdict.
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
	words := ""
	if now := netPoints(c, l.hintCost); l.previousPoints >= 0 && now != l.previousPoints {
		words = fmt.Sprintf("%d points before, %d now. ", l.previousPoints, now)
	}
	switch c.Exit {
	case score.ExitPassed:
		words += "Solved."
		if l.quiz != nil && l.entry.QuizOf == 0 {
			words += " z asks what you take away from it."
		}
	case score.ExitMissed, score.ExitRolledBack:
		words += "e opens your files, r plays them again."
	}
	return words
}
