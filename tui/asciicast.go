package tui

import (
	"io"
	"time"

	"coalmine/tui/asciicast"
	"coalmine/tui/canvas"
	"coalmine/tui/card"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// Asciicast renders a trial as an asciicast: one run on the deck, from shortly before the release
// to its end, then the card.
type Asciicast struct {
	Trial *liverun.Trial
	// Run is the index of the run.
	Run           int
	Width, Height int
	Theme         *theme.Theme
}

const (
	// frameInterval is the time between two frames.
	frameInterval = 100 * time.Millisecond
	// finalHold is how long the end of the run and the card stay on the screen.
	finalHold = 4 * time.Second
	// maxFrames bounds the length of a cast.
	maxFrames = 20 * 60 * 10
)

// Write writes the cast to w.
func (f Asciicast) Write(w io.Writer) error {
	c := asciicast.NewWriter(w, asciicast.Header{Width: f.Width, Height: f.Height,
		Title: "coalmine: " + f.Trial.Scenario})
	d := deck.New(f.Trial, deck.Options{Run: f.Run})
	d.Init()
	var at time.Duration
	for range maxFrames {
		c.Frame(at, f.render(d))
		if d.AtEnd() {
			break
		}
		at += frameInterval
		for _, label := range d.Advance(frameInterval) {
			c.Marker(at, label)
		}
	}
	at += finalHold
	if f.Trial.Card != nil {
		c.Marker(at, "card")
		c.Frame(at, f.render(card.New(f.Trial, card.Options{})))
		at += finalHold
	}
	return c.Close(at)
}

func (f Asciicast) render(s screen.Screen) string {
	c := canvas.New(f.Width, f.Height, f.Theme)
	s.Draw(c.All())
	return c.String()
}
