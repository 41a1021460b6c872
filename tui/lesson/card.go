package lesson

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"coalmine/lab/score"
	"coalmine/tui/card"
	"coalmine/tui/deck"
	"coalmine/tui/screen"
	"coalmine/tui/watch"
)

// onCard is how many screens lie on the briefing while the card is read: the deck, and the card itself.
const onCard = 2

// newCard is the card of a lesson's trial: it leads on to the files, to the next run and to the hints.
func (l *Lesson) newCard(t *watch.Trial) screen.Screen {
	actions := []card.Action{
		{Key: screen.Key("e", "edit", "e"), Do: l.editLost},
		{Key: screen.Key("r", "run again", "r"), Do: func(*card.Card) tea.Cmd { return l.play(onCard, false) }},
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
func (l *Lesson) editLost(c *card.Card) tea.Cmd {
	file := l.firstFile()
	if item, ok := c.Item(); ok && item.Points < item.Max {
		file = l.pointed(&item)
	}
	return screen.Open(newBench(l, onCard+1, file))
}

// points writes what was reached, and what the hints took of it.
func (l *Lesson) points(c *score.Card) string {
	if l.cost == 0 {
		return fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	return fmt.Sprintf("%d of %d − %d for hints = %d", c.Points, c.MaxPoints, l.cost, net(c, l.cost))
}

// remark tells what is worth knowing beside the verdict.
func (l *Lesson) remark() string {
	switch {
	case l.busy != "":
		return l.busy + " …"
	case l.note != "":
		return l.note
	case l.scored == nil:
		return ""
	}
	c := &l.scored.Card
	words := ""
	if now := net(c, l.cost); l.before >= 0 && now != l.before {
		words = fmt.Sprintf("%d points before, %d now. ", l.before, now)
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
