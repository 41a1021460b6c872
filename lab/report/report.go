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
	// Width of the terminal in columns; 0 stands for 80. Reports use between 80 and 100 columns.
	Width int
	// Color allows ANSI colours. Callers leave it off where the output is no terminal or NO_COLOR is set.
	Color bool
}

func (o Options) page() *page {
	return &page{width: min(100, max(80, o.Width)), paint: paint(o.Color)}
}

// Text writes a score card for a terminal: the verdict first, then what happened, then why each point was given or lost.
func Text(w io.Writer, c score.Card, o Options) error {
	p := o.page()
	p.head(c)
	p.picture(c)
	p.harm(c)
	p.runs(c)
	p.cohorts(c)
	p.items(c)
	p.foot(c.Players)
	return p.flush(w)
}

// Run writes what happened in one run, decision by decision, in plain words.
func Run(w io.Writer, t *timeline.Timeline, o Options) error {
	p := o.page()
	p.runHead(t)
	p.decisions(t)
	p.runSummary(t)
	p.foot(score.Players{Cluster: t.Run.Cluster, Mesh: t.Run.Mesh, Versions: t.Run.Versions})
	return p.flush(w)
}

// JSON writes a score card, indented, with its fields in a fixed order.
func JSON(w io.Writer, c score.Card) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}
