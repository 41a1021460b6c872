package report

import (
	"fmt"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
)

// chartRows is the height of the chart; each row has eight heights.
const chartRows = 4

// chart draws one run: the released version's share of the traffic over time, and what happened
// when.
func (p *page) chart(c score.Card) {
	r, ok := model.Highlight(c.Runs)
	if !ok || len(r.Track) == 0 {
		return
	}
	sign, t := model.Symbol(r.Verdict.Exit())
	p.section("What happened", fmt.Sprintf("%s, seed %d", r.Run, r.Seed))
	g := newChart(r, p.width-11)
	p.line("         ", p.in(faint, g.labels()))
	for row := chartRows - 1; row >= 0; row-- {
		before, after := g.row(row)
		p.line("   ", p.in(faint, chartLabel(row)), p.in(canary, before), p.in(bad, after))
	}
	p.line(p.in(faint, "        └"+g.axis()))
	p.line("         ", g.markers(p.paint))
	p.legend(r)
	p.line("   ", p.in(styleOf(t), sign+" "+r.Verdict.Text()), ": ", cut(r.Reason, p.width-length(r.Verdict.Text())-8))
}

func chartLabel(row int) string {
	switch row {
	case chartRows - 1:
		return "100 %┤"
	case chartRows/2 - 1:
		return " 50 %┤"
	}
	return "     │"
}

// chart maps times to columns.
type chart struct {
	run     score.Row
	from    time.Duration
	to      time.Duration
	columns int
}

// newChart shows the run from shortly before the release until well after the last thing that
// happened.
func newChart(r score.Row, columns int) chart {
	g := chart{run: r, to: time.Duration(r.End), columns: columns}
	if r.Released != nil {
		released := time.Duration(*r.Released)
		last := released
		for _, m := range moments(r) {
			if m.at != nil {
				last = max(last, time.Duration(*m.at))
			}
		}
		if n := len(r.Track); n > 0 {
			last = max(last, time.Duration(r.Track[n-1].At))
		}
		g.from = max(0, released-(last-released)/15)
		g.to = min(g.to, last+(last-released)/3)
	}
	g.to = max(g.to, g.from+time.Second)
	return g
}

// axis is the line under the chart, with its first and last time.
func (g chart) axis() string {
	from, to := format.Clock(g.from), format.Clock(g.to)
	return from + strings.Repeat("─", max(0, g.columns-length(from)-length(to))) + to
}

func (g chart) column(at time.Duration) int {
	c := int(float64(at-g.from) / float64(g.to-g.from) * float64(g.columns))
	return min(g.columns-1, max(0, c))
}

// weight is the highest exposure within a column, so that a short step is not lost.
func (g chart) weight(column int) int {
	width := float64(g.to-g.from) / float64(g.columns)
	from := g.from + time.Duration(float64(column)*width)
	to := from + time.Duration(width)
	w := 0
	for i, e := range g.run.Track {
		end := g.to
		if i+1 < len(g.run.Track) {
			end = time.Duration(g.run.Track[i+1].At)
		}
		if time.Duration(e.At) < to && end > from {
			w = max(w, e.Weight)
		}
	}
	return w
}

// row draws one row of the chart, of which 0 is the lowest: the part before the first bad request,
// and the rest.
func (g chart) row(row int) (before, after string) {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	hurt := g.columns
	if g.run.FirstBad != nil {
		hurt = g.column(time.Duration(*g.run.FirstBad))
	}
	line := make([]rune, g.columns)
	for c := range line {
		w := g.weight(c)
		height := w * chartRows * 8 / 100
		if w > 0 {
			height = max(1, height)
		}
		line[c] = blocks[min(8, max(0, height-row*8))]
	}
	return string(line[:hurt]), string(line[hurt:])
}

// labels is the line over the chart that names each weight at its start, as long as there is room.
func (g chart) labels() string {
	var b strings.Builder
	used := 0
	for _, e := range g.run.Track {
		c := g.column(time.Duration(e.At))
		label := fmt.Sprintf("%d %%", e.Weight)
		if c < used || c+length(label) > g.columns {
			continue
		}
		b.WriteString(strings.Repeat(" ", c-used) + label + " ")
		used = c + length(label) + 1
	}
	return b.String()
}

// moment is something marked under the chart.
type moment struct {
	at    *event.Seconds
	sign  rune
	style style
	text  string
}

func moments(r score.Row) []moment {
	noticed, over := "noticed", "rolled back"
	if r.Detection != nil && r.FirstBad != nil && *r.Detection < *r.FirstBad {
		noticed += " before it"
	} else if r.MTTD != nil {
		noticed += fmt.Sprintf(" (+%s)", format.Duration(time.Duration(*r.MTTD)))
	}
	if r.Weight != nil {
		over += fmt.Sprintf(" at %d %%", *r.Weight)
	}
	return []moment{
		{r.FirstBad, '▲', bad, "first bad request"},
		{r.Detection, '◆', good, noticed},
		{r.Abort, '■', good, over},
		{r.Promoted, '★', plain, "promoted to everyone"},
	}
}

// markers is the line of markers; of two in one column the later one moves right.
func (g chart) markers(p paint) string {
	line := make([]string, g.columns)
	for i := range line {
		line[i] = " "
	}
	for _, m := range moments(g.run) {
		if m.at == nil {
			continue
		}
		c := g.column(time.Duration(*m.at))
		for c < g.columns-1 && line[c] != " " {
			c++
		}
		line[c] = p.in(m.style, string(m.sign))
	}
	return strings.Join(line, "")
}

// legend names the markers with their times, as many to a line as fit.
func (p *page) legend(r score.Row) {
	line, used := "", 0
	for _, m := range moments(r) {
		if m.at == nil {
			continue
		}
		text := fmt.Sprintf(" %s %s", format.OptionalClock(m.at), m.text)
		if used > 0 && used+length(text)+4 > p.width-4 {
			p.line("   ", line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+"   ", used+3
		}
		line += p.in(m.style, string(m.sign)) + text
		used += length(text) + 1
	}
	if used > 0 {
		p.line("   ", line)
	}
}
