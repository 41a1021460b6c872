// Package card is the screen that explains the score of a trial: the verdict first, then each
// rubric item with its reason and the events that it is based on.
package card

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// Action is a key that another part of the program adds to the card, such as editing the guardrails
// or running again.
type Action struct {
	Key key.Binding
	Do  func(*Card) tea.Cmd
}

// Options are what other parts of the program add.
type Options struct {
	// Jump shows the moment of an event. It is called when the user chooses the event, and closes
	// the card.
	Jump    func(score.EventRef) tea.Cmd
	Actions []Action
	// Below returns further lines under the selected item, such as hints.
	Below func(score.Item) []string
	// Points replaces the points in the title; Remark is a line below the verdict. Either may be
	// nil.
	Points, Remark func() string
}

// Card is the screen.
type Card struct {
	trial *liverun.Trial
	opts  Options
	// selected is the index of the selected target, event that of the event which Enter shows.
	selected, event int
	// used is set by the first key: until then the card is shown from its top, where the verdict is.
	used          bool
	showReference bool // show what the reference guardrails detected
	explanation   explanation
	reference     []fact
}

// New returns the card of a trial, which must have one.
func New(t *liverun.Trial, o Options) *Card {
	return &Card{trial: t, opts: o, explanation: explain(t), reference: referenceFacts(t)}
}

// Trial returns the trial.
func (c *Card) Trial() *liverun.Trial { return c.trial }

// Name implements [screen.Screen].
func (*Card) Name() string { return "card" }

// Init implements [screen.Screen].
func (*Card) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (c *Card) Keys() []screen.Group {
	keys := []key.Binding{
		screen.Key("↑ ↓", "choose an item or a run"), screen.Key("← →", "choose one of its events"),
		screen.Key("enter", "show that moment"), screen.Key("b", "what the reference guardrails detected"),
		screen.Key("esc", "back to the deck"),
	}
	for _, a := range c.opts.Actions {
		keys = append(keys, a.Key)
	}
	return []screen.Group{{Title: "The card", Keys: keys}}
}

// target is something on the card that is based on events.
type target struct {
	item   *score.Item
	row    *score.Row
	events []score.EventRef
}

func (c *Card) targets() []target {
	var all []target
	for i := range c.trial.Card.Items {
		item := &c.trial.Card.Items[i]
		all = append(all, target{item: item, events: item.Events})
	}
	for i := range c.trial.Card.Runs {
		row := &c.trial.Card.Runs[i]
		all = append(all, target{row: row, events: row.Events})
	}
	return all
}

// Update implements [screen.Screen].
func (c *Card) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		c.used = true
		for _, a := range c.opts.Actions {
			if key.Matches(msg, a.Key) {
				return a.Do(c)
			}
		}
		return c.key(msg.String())
	case tea.MouseWheelMsg:
		c.used = true
		if msg.Button == tea.MouseWheelUp {
			c.choose(-1)
		} else {
			c.choose(1)
		}
	}
	return nil
}

func (c *Card) key(k string) tea.Cmd {
	if c.showReference {
		c.showReference = k != "b" && k != "esc" && k != "enter"
		return nil
	}
	switch k {
	case "up", "k":
		c.choose(-1)
	case "down", "j":
		c.choose(1)
	case "home", "g":
		c.selected, c.event = 0, 0
	case "end", "G":
		c.choose(len(c.targets()))
	case "left", "h":
		c.event--
	case "right", "l":
		c.event++
	case "b":
		c.showReference = true
	case "esc", "c":
		return screen.Close
	case "enter":
		return c.jump()
	}
	if n := len(c.events()); n > 0 {
		c.event = (c.event + n) % n
	} else {
		c.event = 0
	}
	return nil
}

func (c *Card) choose(by int) {
	c.selected = max(0, min(len(c.targets())-1, c.selected+by))
	c.event = 0
}

// Item returns the selected rubric item; ok is false if something else is selected.
func (c *Card) Item() (item score.Item, ok bool) {
	if all := c.targets(); c.selected < len(all) && all[c.selected].item != nil {
		return *all[c.selected].item, true
	}
	return item, false
}

func (c *Card) events() []score.EventRef {
	if all := c.targets(); c.selected < len(all) {
		return all[c.selected].events
	}
	return nil
}

func (c *Card) jump() tea.Cmd {
	events := c.events()
	if len(events) == 0 || c.opts.Jump == nil {
		return nil
	}
	return c.opts.Jump(events[min(c.event, len(events)-1)])
}

// Draw implements [screen.Screen].
func (c *Card) Draw(a canvas.Area) {
	card := c.trial.Card
	head, rest := a.Top(1)
	body, foot := rest.Bottom(1)
	points := ""
	if card.MaxPoints > 0 {
		points = fmt.Sprintf("%d of %d points", card.Points, card.MaxPoints)
	}
	if c.opts.Points != nil {
		points = c.opts.Points()
	}
	pane.Bar(head, card.Title, points)
	c.footer(foot)
	if body.Width() >= twoColumns && !c.showReference {
		left, right := body.Left(body.Width() / 2)
		c.drawPage(left, c.writeVerdict, c.writeHarm, c.writeMesh, c.writeRuns)
		c.drawPage(right, c.writeItems)
		return
	}
	if c.showReference { // a page of its own, whatever is selected
		c.drawPage(body, c.writeVerdict, func(p *page) {
			p.writeFacts("What the reference guardrails detected", "the scenario's own guardrails, same traffic",
				c.reference)
		})
		return
	}
	c.drawPage(body, c.writeVerdict, c.writeItems, c.writeHarm, c.writeMesh, c.writeRuns)
}

// twoColumns is the width from which on the points stand beside the rest.
const twoColumns = 160

// drawPage draws parts of the card below each other, scrolled to the selected target.
func (c *Card) drawPage(a canvas.Area, parts ...func(*page)) {
	p := &page{width: a.Width(), height: a.Height()}
	for _, write := range parts {
		write(p)
	}
	first, selected := 0, c.selected
	if c.showReference {
		selected = -1
	} else if c.used {
		first = p.firstLine(selected)
	}
	p.draw(a, first, selected)
}

func (c *Card) footer(a canvas.Area) {
	if c.showReference {
		pane.Footer(a, pane.Key{Key: "b", Action: "back to the points"}, pane.Key{Key: "esc", Action: "back"})
		return
	}
	keys := []pane.Key{{Key: "↑ ↓", Action: "choose"}, {Key: "enter", Action: "show"}}
	for _, k := range c.opts.Actions {
		keys = append(keys, pane.Key{Key: k.Key.Help().Key, Action: k.Key.Help().Desc})
	}
	pane.Footer(a, append(keys, pane.Key{Key: "b", Action: "reference"}, pane.Key{Key: "esc", Action: "back"})...)
}

// writeVerdict says what came of the trial and why.
func (c *Card) writeVerdict(p *page) {
	card := c.trial.Card
	symbol, style := outcomeStyle(card.Exit)
	p.add(func(a canvas.Area, y int) {
		x := a.Text(1, y, style|theme.Bold, symbol+" "+strings.ToUpper(card.Outcome))
		a.Text(x+2, y, theme.Muted, card.Scenario)
	})
	p.wrapped(3, theme.Plain, card.Reason)
	for _, r := range card.Remarks {
		p.wrapped(3, theme.Warn, r)
	}
	p.wrapped(3, theme.Warn, model.LimitText(*card))
	if c.opts.Remark != nil {
		p.wrapped(3, theme.Muted, c.opts.Remark())
	}
	if !c.showReference {
		p.writeFacts(c.explanation.title, c.explanation.run, p.fitting(c.explanation.facts))
	}
}

// outcomeStyle returns the symbol and the style of a card's exit code.
func outcomeStyle(exit int) (string, theme.Style) {
	switch exit {
	case score.ExitPassed:
		return "✓", theme.Good
	case score.ExitInconclusive, score.ExitLabFailed:
		return "?", theme.Warn
	}
	return "✗", theme.Bad
}
