package deck

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"coalmine/tui/liverun"
)

// Hold is a moment at which a deck stops, and something is opened that has to come first.
type Hold struct {
	At time.Duration
	// Open opens it; a nil command lets the deck go on.
	Open func() tea.Cmd
	// Gate is set if the deck must not go on, nor the card be opened, until [Resume].
	Gate bool
}

// Resume makes the decks of a trial go on after a hold.
type Resume struct{ Trial *liverun.Trial }

// held puts the clock back to the moment of a hold that it has passed, and opens what comes first.
// With the card it does so wherever the clock is, if the hold is a gate. It returns nil if nothing
// holds.
func (d *Deck) held(card bool) tea.Cmd {
	if d.holding {
		return func() tea.Msg { return nil } // it is being opened
	}
	r := d.rec()
	if d.opts.Hold == nil || d.run != d.opts.Run || r == nil {
		return nil
	}
	h := d.opts.Hold(r)
	if h == nil || card && !h.Gate || !card && d.clock.at < h.At {
		return nil
	}
	open := h.Open()
	if open == nil {
		return nil
	}
	d.holding, d.positioned, d.clock.live = true, true, false
	d.clock.playing = false // until Resume, or until the user lets it play
	d.clock.at = min(h.At, d.end())
	return open
}

func (d *Deck) resume(r Resume) tea.Cmd {
	if r.Trial != d.trial {
		return nil
	}
	d.clock.playing = true
	return d.startTicks()
}
