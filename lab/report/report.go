// Package report writes the result of a run or a trial: as text for a terminal, JSON, Markdown,
// HTML, JUnit XML, and the draft of a postmortem.
//
// It formats facts and decides nothing: what it says is in the card, the timeline or the
// guardrails. The same recording gives the same bytes.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"coalmine/lab/report/html"
	"coalmine/lab/report/junit"
	"coalmine/lab/report/model"
	"coalmine/lab/report/postmortem"
	"coalmine/lab/verdict/score"
)

// Options of a text report.
type Options struct {
	// Width of the terminal in columns; 0 stands for 80. Reports have between 80 and 100 columns.
	Width int
	// Color allows ANSI colours. Callers leave it off if the output is not a terminal, or if
	// NO_COLOR is set.
	Color bool
}

func (o Options) page() *page {
	return &page{width: min(100, max(80, o.Width)), paint: paint(o.Color)}
}

// Format is the form of a report.
type Format string

// Formats of a report.
const (
	FormatText       Format = "text"
	FormatJSON       Format = "json"
	FormatMarkdown   Format = "md"
	FormatHTML       Format = "html"
	FormatJUnit      Format = "junit"
	FormatPostmortem Format = "postmortem"
)

// Formats lists all formats.
func Formats() []Format {
	return []Format{FormatText, FormatJSON, FormatMarkdown, FormatHTML, FormatJUnit, FormatPostmortem}
}

// ParseFormat returns the format of a name.
func ParseFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if name == string(f) {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("there is no format %q: write one of %s", name, strings.Join(names, ", "))
}

// Write writes a trial in a format; the options are for text. Text and JSON do not say what is
// missing from the recording: their caller does.
func Write(w io.Writer, f Format, t *model.Trial, o Options) error {
	switch f {
	case FormatJSON:
		return JSON(w, t)
	case FormatMarkdown:
		return Markdown(w, t)
	case FormatHTML:
		return html.Write(w, t)
	case FormatJUnit:
		return junit.Write(w, t)
	case FormatPostmortem:
		return postmortem.Write(w, t)
	}
	if t.Single != nil {
		return Run(w, t, o)
	}
	return Text(w, t, o)
}

// Text writes a score card for a terminal: the verdict first, then what happened, then why each
// point was given or lost.
func Text(w io.Writer, t *model.Trial, o Options) error {
	p, c := o.page(), t.Card
	p.head(c)
	p.chart(c)
	p.explanation(t.Explanation())
	p.harm(c)
	p.runs(c)
	p.cohorts(c)
	p.meshOf(c)
	p.items(c)
	p.foot(c.Players)
	return p.flush(w)
}

// Run writes what happened in the one run of a trial, decision by decision, in plain words.
func Run(w io.Writer, trial *model.Trial, o Options) error {
	p, t := o.page(), trial.Single
	p.runHead(t)
	p.outcome(trial.Card)
	p.explanation(trial.Explanation())
	p.decisions(t)
	p.runSummary(t)
	p.meshOf(trial.Card)
	p.foot(score.Players{Cluster: t.Run.Cluster, Mesh: t.Run.Mesh, Versions: t.Run.Versions})
	return p.flush(w)
}

// document is the JSON form of a trial's result: the card, and the explanation of the run that shows
// most.
type document struct {
	score.Card
	Explanation *model.Explanation `json:"explanation,omitempty"`
}

// JSON writes a trial's card, indented, with its fields in a fixed order.
func JSON(w io.Writer, t *model.Trial) error {
	d := document{Card: t.Card}
	if e := t.Explanation(); len(e.Facts) > 0 {
		d.Explanation = &e
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}
