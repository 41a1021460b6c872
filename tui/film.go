package tui

import (
	"io"
	"time"

	"coalmine/tui/canvas"
	"coalmine/tui/card"
	"coalmine/tui/cast"
	"coalmine/tui/deck"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
	"coalmine/tui/watch"
)

// Film is a cast of a trial: one run on the deck from shortly before the release to its end, then the card.
type Film struct {
	Trial *watch.Trial
	// Run is the index of the run.
	Run           int
	Width, Height int
	Theme         *theme.Theme
}

const (
	// frame is the time between two pictures of a film.
	frame = 100 * time.Millisecond
	// lastLook is how long the end of the run and the card are shown.
	lastLook = 4 * time.Second
	// mostFrames bounds a film.
	mostFrames = 20 * 60 * 10
)

// Write writes the film.
func (f Film) Write(w io.Writer) error {
	c := cast.NewWriter(w, cast.Header{Width: f.Width, Height: f.Height, Title: "coalmine: " + f.Trial.Scenario})
	d := deck.New(f.Trial, deck.Options{Run: f.Run})
	d.Init()
	var at time.Duration
	for range mostFrames {
		c.Picture(at, f.picture(d))
		if d.Over() {
			break
		}
		at += frame
		for _, label := range d.Pass(frame) {
			c.Mark(at, label)
		}
	}
	at += lastLook
	if f.Trial.Card != nil {
		c.Mark(at, "card")
		c.Picture(at, f.picture(card.New(f.Trial, card.Options{})))
		at += lastLook
	}
	return c.Close(at)
}

func (f Film) picture(s screen.Screen) string {
	c := canvas.New(f.Width, f.Height)
	c.ASCII = f.Theme.ASCII
	s.Draw(c.All())
	return c.String(f.Theme)
}
