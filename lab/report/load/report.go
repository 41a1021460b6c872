// Package loadreport writes a ledger for people: who got what from which version, how long it took, and how well the generator kept
// to its plan. It formats accounts and changes none; whether an objective of the whole is met is not its business.
package loadreport

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/verdict/stats"
	"coalmine/loadgen/results"
)

// Objective is what the users of a route may expect.
type Objective struct {
	// Route is the route's name; "" stands for every route without an objective of its own.
	Route string
	// Success is the least share of answers that are not bad, in percent.
	Success float64
}

// Options of a view.
type Options struct {
	// Width of the terminal in columns; 0 stands for 80. Views use between 80 and 140 columns.
	Width int
	// Color allows ANSI colours. Callers leave it off where the output is no terminal or NO_COLOR is set.
	Color bool
	// Objectives decide which cells are marked as bad; none mark none.
	Objectives []Objective
}

// confidence of the intervals that marks rest on.
const confidence = 0.95

// Text writes a ledger: what it is about, a table of cohort, route and version, the distribution of latencies, the truth about
// faults, and how the generator did. It uses plain text; colours add nothing that is not said.
func Text(w io.Writer, l *results.Results, o Options) error {
	p := &page{width: min(140, max(80, o.Width)), color: o.Color}
	all := l.Sum(nil)
	p.head(l, all)
	if all.Attempts > 0 {
		p.table(l, all, o.Objectives)
	}
	if all.Requests > 0 {
		p.latency(&all.Latency)
	}
	p.faultTruth(l, all)
	p.generator(l, all)
	return p.flush(w)
}

func (p *page) head(l *results.Results, all *results.Cell) {
	p.line()
	name := l.Workload()
	if name == "" {
		name = "load"
	}
	remark := fmt.Sprintf("seed %d", l.Seed())
	if have, of := l.Shards(); len(have) == 1 && of > 1 {
		remark += fmt.Sprintf(", shard %d/%d", have[0], of)
	} else if of > 1 {
		remark += fmt.Sprintf(", %d of %d shards", len(have), of)
	}
	p.spread(bold, name, remark)
	p.line(" ", p.styled(faint, strings.Repeat("─", p.width-2)))
	if all.Requests == 0 {
		p.wrapped(1, plain, "No request was answered.")
		return
	}
	text := fmt.Sprintf("%s in %s, %s per second", count(all.Requests, "request", "requests"), span(l.Elapsed()), rate(l, all))
	if all.Bad == 0 {
		p.wrapped(1, plain, strings.TrimRight(text+", none of them bad; "+unaccepted(all), "; "))
		return
	}
	p.wrapped(1, plain, fmt.Sprintf("%s, %s bad (%s): %s", text, number(all.Bad), percent(share(all.Bad, all.Requests)), reasons(all)))
}

func rate(l *results.Results, c *results.Cell) string {
	if l.Elapsed() <= 0 {
		return "–"
	}
	return format.Rate(float64(c.Requests) / l.Elapsed().Seconds())
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// reasons says what the bad requests of a cell were. One may be bad in several ways.
func reasons(c *results.Cell) string {
	var parts []string
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, what+noBreak+number(n))
		}
	}
	add(c.Failed-c.NoAnswer(), "5xx")
	var whys []string
	for _, why := range slices.Sorted(maps.Keys(c.Failures)) {
		whys = append(whys, why+noBreak+number(c.Failures[why]))
	}
	if n := c.NoAnswer(); n > 0 {
		parts = append(parts, fmt.Sprintf("no%sanswer%s%s (%s)", noBreak, noBreak, number(n), strings.Join(whys, ", ")))
	}
	add(c.Denied, "403")
	add(c.Limited, "429")
	add(c.Slow, "slow")
	add(c.Wrong, "wrong"+noBreak+"content")
	if text := unaccepted(c); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// unaccepted tells of answers that are no fault of the service by their status, though seldom what was meant: a path that is not
// there is the sender's mistake.
func unaccepted(c *results.Cell) string {
	if c.Refused == 0 {
		return ""
	}
	return fmt.Sprintf("other%s4xx%s%s (%s of all), which do not count as bad", noBreak, noBreak, number(c.Refused), percent(share(c.Refused, c.Requests)))
}

// rating is what an objective makes of a cell.
type rating int

const (
	unrated rating = iota
	unclear
	violated
)

// judgement is a mark with what it rests on: the share of the bad requests among so many, and what is allowed.
type judgement struct {
	rating  rating
	of      int64
	allowed float64
	stats.Interval
}

// judge compares the share of bad requests of a cell with what its route's objective allows. They are bad among so many: its
// own, or for a cell without version those of its cohort and route. Only what failed has no version, as long as the answers tell
// it, so among its own it would always be bad.
func judge(c *results.Cell, of int64, objectives []Objective) judgement {
	success, ok := success(objectives, c.Route)
	if !ok || of == 0 {
		return judgement{}
	}
	j := judgement{of: of, allowed: 1 - success/100, Interval: stats.ClopperPearson(int(c.Bad), int(of), confidence)}
	// What percent and share differ by in their last binary digit is not over.
	const slack = 1e-9
	switch {
	case j.Low > j.allowed+slack:
		j.rating = violated
	case share(c.Bad, of) > j.allowed+slack:
		j.rating = unclear
	}
	return j
}

func success(objectives []Objective, route string) (percent float64, ok bool) {
	for _, o := range objectives {
		if o.Route == route {
			return o.Success, true
		}
		if o.Route == "" {
			percent, ok = o.Success, true
		}
	}
	return percent, ok
}
