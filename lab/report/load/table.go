package loadreport

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/service"
	"coalmine/loadgen/results"
)

// maxRows limits the table. If there are more cells, marked ones are shown first.
const maxRows = 100

// row is a cell with its rating.
type row struct {
	cell *results.Cell
	judgement
}

// column is a number shown for each cell. Extra columns are shown if the names leave room.
type column struct {
	head  string
	extra bool
	text  func(*results.Cell) string
}

func columns(r *results.Results, all *results.Cell) []column {
	quantile := func(q float64) func(*results.Cell) string {
		return func(c *results.Cell) string { return wait(c, c.Latency.Quantile(q)) }
	}
	list := []column{
		{"requests", false, func(c *results.Cell) string { return number(c.Requests) }},
		{"attempts", true, func(c *results.Cell) string { return number(c.Attempts) }},
		{"per s", false, func(c *results.Cell) string { return rate(r, c) }},
		{"bad", false, badShare},
		{"p50", false, quantile(0.5)}, {"p90", false, quantile(0.9)}, {"p95", true, quantile(0.95)},
		{"p99", false, quantile(0.99)},
		{"p99.9", true, quantile(0.999)},
		{"max", false, func(c *results.Cell) string { return wait(c, c.Latency.Max()) }},
	}
	if all.Attempts == all.Requests {
		list = slices.DeleteFunc(list, func(c column) bool { return c.head == "attempts" })
	}
	return list
}

func wait(c *results.Cell, d time.Duration) string {
	if c.Requests == 0 {
		return "–"
	}
	return format.Millis(d)
}

func badShare(c *results.Cell) string {
	if c.Requests == 0 {
		return "–"
	}
	return percent(share(c.Bad, c.Requests))
}

// table lists the cells, with the reasons below each cell that has bad requests.
func (p *page) table(l *results.Results, all *results.Cell, objectives []service.Objective) {
	p.section("Responses", "latency in ms, from the intended time to the end of the response")
	rows, hidden := rows(l, objectives)
	t := newLayout(p.width, cells(rows), all, columns(l, all))
	p.line(p.styled(faint, t.head()))
	for _, r := range rows {
		sign, tone := r.sign()
		p.line(" ", p.styled(tone, left(sign, 3)), " ", t.names(r.cell), p.styled(r.style(), t.numbers(r.cell)))
		if r.cell.Bad+r.cell.Refused > 0 {
			p.wrapped(7, faint, r.why())
		}
	}
	p.more(hidden)
	p.line("     ", left("all", t.room()), t.numbers(all))
	p.line()
	p.wrapped(1, faint, footnote(l, rows, objectives))
}

// rows returns the cells in the order of the results, at most maxRows: if there are more, those
// with the worst ratings.
func rows(l *results.Results, objectives []service.Objective) (list []row, hidden int) {
	type place struct{ cohort, route string }
	limited := len(l.Limits()) > 0
	all := map[place]int64{}
	for c := range l.Cells() {
		all[place{c.Cohort, c.Route}] += c.Requests
	}
	for c := range l.Cells() {
		of := c.Requests
		if c.Version == "" {
			of = all[place{c.Cohort, c.Route}]
		}
		list = append(list, row{c, judge(c, of, objectives, limited)})
	}
	if len(list) <= maxRows {
		return list, 0
	}
	ranked := slices.Clone(list)
	slices.SortStableFunc(ranked, func(a, b row) int { return int(b.rating - a.rating) })
	kept := map[*results.Cell]bool{}
	for _, r := range ranked[:maxRows] {
		kept[r.cell] = true
	}
	hidden = len(list) - maxRows
	return slices.DeleteFunc(list, func(r row) bool { return !kept[r.cell] }), hidden
}

func cells(rows []row) []*results.Cell {
	list := make([]*results.Cell, len(rows))
	for i, r := range rows {
		list[i] = r.cell
	}
	return list
}

// more reports that rows were left out.
func (p *page) more(hidden int) {
	if hidden > 0 {
		p.wrapped(5, faint, fmt.Sprintf("… and %d more rows; see --json or --save", hidden))
	}
}

func (r row) sign() (string, style) {
	switch r.rating {
	case violated:
		return "BAD", bad
	case unclear:
		return " ?", warn
	}
	return "", plain
}

func (r row) style() style {
	_, t := r.sign()
	return t
}

// why lists the reasons of a cell's bad requests, and for a marked cell the limit that it was
// compared with.
func (r row) why() string {
	text := reasons(r.cell)
	if r.rating == unrated {
		return text
	}
	if r.of != r.cell.Requests {
		text += fmt.Sprintf("; %s of %s on the route", percent(share(r.cell.Bad, r.of)),
			count(r.of, "request", "requests"))
	}
	return text + fmt.Sprintf("; %s allowed, 95%s%%%sinterval %s to %s", percent(r.allowed), noBreak, noBreak,
		percent(r.Low), percent(r.High))
}

// layout holds the widths of the columns.
type layout struct {
	cohort, route, version int
	columns                []column
	widths                 []int
}

func newLayout(width int, cells []*results.Cell, all *results.Cell, columns []column) layout {
	t := layout{cohort: length("cohort"), route: length("route"), version: length("version")}
	for _, c := range cells {
		t.cohort = max(t.cohort, length(clean(c.Cohort)))
		t.route = max(t.route, length(clean(c.Route)))
		t.version = max(t.version, length(clean(version(c))))
	}
	room := width - 1 - 5 - t.room()
	for _, c := range columns {
		if !c.extra {
			room -= t.width(c, cells, all)
		}
	}
	for _, c := range columns {
		w := t.width(c, cells, all)
		if c.extra && room < w {
			continue
		}
		if c.extra {
			room -= w
		}
		t.columns, t.widths = append(t.columns, c), append(t.widths, w)
	}
	for ; room < 0; room++ {
		t.shrink()
	}
	return t
}

// width returns the width of a column including its gap.
func (t *layout) width(c column, cells []*results.Cell, all *results.Cell) int {
	w := max(length(c.head), length(c.text(all)))
	for _, cell := range cells {
		w = max(w, length(c.text(cell)))
	}
	return w + 1
}

// shrink takes a column from the longest names.
func (t *layout) shrink() {
	longest := &t.cohort
	for _, w := range []*int{&t.route, &t.version} {
		if *w > *longest {
			longest = w
		}
	}
	*longest = max(*longest-1, 1)
}

// room returns the width of the names.
func (t *layout) room() int { return t.cohort + 1 + t.route + 1 + t.version }

func (t *layout) head() string {
	var b strings.Builder
	b.WriteString("     " + left("cohort", t.cohort) + " " + left("route", t.route) + " " + left("version", t.version))
	for i, c := range t.columns {
		b.WriteString(right(c.head, t.widths[i]))
	}
	return b.String()
}

func (t *layout) names(c *results.Cell) string {
	return left(c.Cohort, t.cohort) + " " + left(c.Route, t.route) + " " + left(version(c), t.version)
}

func (t *layout) numbers(c *results.Cell) string {
	var b strings.Builder
	for i, column := range t.columns {
		b.WriteString(right(column.text(c), t.widths[i]))
	}
	return b.String()
}

func version(c *results.Cell) string {
	if c.Version == "" {
		return "–"
	}
	return c.Version
}

// footnote explains the terms and marks of the table.
func footnote(l *results.Results, rows []row, objectives []service.Objective) string {
	text := "Bad: 5xx, no response, 403, 429, wrong content"
	var limits []string
	for _, r := range l.Routes() {
		if r.Slow > 0 && len(limits) < 5 {
			limits = append(limits, r.Name+" "+span(r.Slow))
		}
	}
	if len(limits) > 0 {
		text += ", or slow (over " + strings.Join(limits, ", ") + ")"
	}
	text += ". A request counts once."
	if slices.ContainsFunc(rows, func(r row) bool { return r.cell.Version == "" }) {
		text += " –: the response did not name a version, or there was none."
	}
	if len(objectives) == 0 {
		return text
	}
	text += " BAD: the share of bad requests exceeds what the route's objective allows, " +
		"and so does its whole exact 95" + noBreak +
		"% interval (Clopper-Pearson). ?: only the measured share exceeds it, which may be chance."
	if len(l.Limits()) > 0 {
		text += " No row is marked BAD, because the generator reached a limit."
	}
	if slices.ContainsFunc(rows, func(r row) bool { return r.cell.Version == "" && r.of != r.cell.Requests }) {
		text += " A row without a version is compared with all requests of its cohort and route."
	}
	return text
}
