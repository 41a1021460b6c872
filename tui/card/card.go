// Package card is the screen on which a trial's points are explained: the verdict first, then each item with its reason, and
// the way to the moment that it rests on.
package card

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/liverun"
	"coalmine/tui/pane"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// Action is a key that another part of the program adds to the card, such as editing the guardrails or playing again.
type Action struct {
	Key key.Binding
	Do  func(*Card) tea.Cmd
}

// Options are what other parts of the program add.
type Options struct {
	// Jump shows the moment of an event. It is asked for when the user chooses it, and closes the card.
	Jump    func(score.EventRef) tea.Cmd
	Actions []Action
	// Below are further lines under an item that is selected, such as hints.
	Below func(score.Item) []string
	// Points writes the points in another way; Remark is a line below the verdict. nil, or "", for none.
	Points, Remark func() string
}

// Card is the screen.
type Card struct {
	trial *liverun.Trial
	opts  Options
	// selected is the selected target, event the one of its events that Enter leads to.
	selected, event int
	showReference   bool // what the reference saw is shown
	explanation     explanation
	reference       []fact
}

// New returns the card of a trial that has one.
func New(t *liverun.Trial, o Options) *Card {
	return &Card{trial: t, opts: o, explanation: explain(t), reference: referenceFacts(t)}
}

// Trial is what the card is about.
func (c *Card) Trial() *liverun.Trial { return c.trial }

// Name implements [screen.Screen].
func (*Card) Name() string { return "card" }

// Init implements [screen.Screen].
func (*Card) Init() tea.Cmd { return nil }

// Keys implements [screen.Screen].
func (c *Card) Keys() []screen.Group {
	keys := []key.Binding{
		screen.Key("↑ ↓", "choose an item or a run"), screen.Key("← →", "choose one of its events"),
		screen.Key("enter", "show that moment"), screen.Key("b", "what a better guardrail saw"), screen.Key("esc", "back to the deck"),
	}
	for _, a := range c.opts.Actions {
		keys = append(keys, a.Key)
	}
	return []screen.Group{{Title: "The card", Keys: keys}}
}

// target is something on the card that rests on events.
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
		for _, a := range c.opts.Actions {
			if key.Matches(msg, a.Key) {
				return a.Do(c)
			}
		}
		return c.key(msg.String())
	case tea.MouseWheelMsg:
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

// Item is the selected item of the rubric, not ok when something else is selected.
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
	p := &page{width: body.Width()}
	c.layout(p)
	if c.showReference {
		p.draw(body, -1)
		return
	}
	p.draw(body, c.selected)
}

func (c *Card) footer(a canvas.Area) {
	if c.showReference {
		pane.Footer(a, pane.Key{Key: "b", Action: "back to the points"}, pane.Key{Key: "esc", Action: "back"})
		return
	}
	keys := []pane.Key{{Key: "↑ ↓", Action: "choose"}, {Key: "enter", Action: "moment"}}
	for _, k := range c.opts.Actions {
		keys = append(keys, pane.Key{Key: k.Key.Help().Key, Action: k.Key.Help().Desc})
	}
	pane.Footer(a, append(keys, pane.Key{Key: "b", Action: "a better one"}, pane.Key{Key: "esc", Action: "back"})...)
}

// layout lays the card out from top to bottom.
func (c *Card) layout(p *page) {
	card := c.trial.Card
	sign, tone := outcomeStyle(card.Exit)
	p.add(func(a canvas.Area, y int) {
		x := a.Text(1, y, tone|theme.Bold, sign+" "+strings.ToUpper(card.Outcome))
		a.Text(x+2, y, theme.Muted, card.Scenario)
	})
	p.wrapped(3, theme.Plain, card.Reason)
	if c.opts.Remark != nil {
		p.wrapped(3, theme.Muted, c.opts.Remark())
	}
	if c.showReference { // a page of its own, whatever is selected
		p.writeFacts("What a better guardrail saw", "the scenario's own, in the same traffic", c.reference)
		return
	}
	p.writeFacts(c.explanation.title, c.explanation.run, c.explanation.facts)
	c.writeItems(p)
	c.writeHarm(p)
	c.writeRuns(p)
}

// outcomeStyle is the sign and the tone of a card's exit code.
func outcomeStyle(exit int) (string, theme.Style) {
	switch exit {
	case score.ExitPassed:
		return "✓", theme.Good
	case score.ExitInconclusive, score.ExitLabFailed:
		return "?", theme.Warn
	}
	return "✗", theme.Bad
}
