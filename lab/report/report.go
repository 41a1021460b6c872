// Package report writes what a run or a trial came to, as text for a terminal and as JSON.
//
// It formats facts and decides nothing: what it says is in the card or the timeline. It never imports package lab.
package report

import (
	"encoding/json"
	"io"

	"coalmine/lab/score"
	"coalmine/lab/timeline"
)

// Options of a text report.
type Options struct {
	// Width of the terminal in columns; 0 stands for 80.
	Width int
	// Color allows ANSI colours.
	Color bool
}

// Text writes a score card for a terminal.
func Text(w io.Writer, c score.Card, o Options) error { return nil }

// Run writes what happened in one run, decision by decision, in plain words.
func Run(w io.Writer, t *timeline.Timeline, o Options) error { return nil }

// JSON writes a score card, indented, with its fields in a fixed order.
func JSON(w io.Writer, c score.Card) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}
