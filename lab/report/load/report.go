// Package loadreport formats the results of a load test as text: a table by cohort, route and
// version, the latency distribution, the affected requests, and the accuracy of the generator.
package loadreport

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/service"
	"coalmine/lab/verdict/stats"
	"coalmine/loadgen/results"
)

// Options configure a report.
type Options struct {
	// Width is the width of the terminal in columns; 0 means 80. Reports use between 80 and 140
	// columns.
	Width int
	// Color enables ANSI colours. The caller disables it if the output is not a terminal or
	// NO_COLOR is set.
	Color bool
	// Objectives decide which rows are marked as bad; without objectives none are.
	Objectives []service.Objective
}

// confidence is the confidence level of the intervals that marks depend on.
const confidence = 0.95

// Text writes a report of the results: the plan, a table of cohort, route and version, the latency
// distribution, the affected requests, and the accuracy of the generator. Colours only repeat what
// the text says.
func Text(w io.Writer, r *results.Results, o Options) error {
	p := &page{width: min(140, max(80, o.Width)), color: o.Color}
	all := r.Sum(nil)
	p.head(r, all)
	if all.Attempts > 0 {
		p.table(r, all, o.Objectives)
	}
	if all.Requests > 0 {
		p.latency(&all.Latency)
	}
	p.errors(r)
	p.faultTruth(r, all)
	p.generator(r, all)
	return p.flush(w)
}

func (p *page) head(r *results.Results, all *results.Cell) {
	p.line()
	p.spread(bold, title(r), part(r))
	p.line(" ", p.styled(faint, strings.Repeat("─", p.width-2)))
	defer p.limits(r)
	p.wrapped(1, plain, summary(r, all))
}

// title is the name of the workload.
func title(r *results.Results) string { return cmp.Or(r.Workload(), "load") }

// part says which plan was sent, and which part of it.
func part(r *results.Results) string {
	text := fmt.Sprintf("seed %d", r.Seed())
	if have, of := r.Shards(); len(have) == 1 && of > 1 {
		text += fmt.Sprintf(", shard %d/%d", have[0], of)
	} else if of > 1 {
		text += fmt.Sprintf(", %d of %d shards", len(have), of)
	}
	return text
}

// summary says in a sentence how many requests were answered, and how many of them were bad.
func summary(r *results.Results, all *results.Cell) string {
	if all.Requests == 0 {
		return none(r, all)
	}
	text := fmt.Sprintf("%s in %s, %s per second", count(all.Requests, "request", "requests"), span(r.Elapsed()),
		rate(r, all))
	if all.Bad == 0 {
		return strings.TrimRight(text+", none bad; "+unaccepted(all), "; ")
	}
	return fmt.Sprintf("%s, %s bad (%s): %s", text, number(all.Bad), percent(share(all.Bad, all.Requests)),
		reasons(all))
}

func rate(r *results.Results, c *results.Cell) string {
	if r.Elapsed() <= 0 {
		return "–"
	}
	return format.Rate(float64(c.Requests) / r.Elapsed().Seconds())
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// reasons lists why the requests of a cell were bad. A request may be bad for several reasons.
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
		parts = append(parts, fmt.Sprintf("no%sresponse%s%s (%s)", noBreak, noBreak, number(n),
			strings.Join(whys, ", ")))
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

// unaccepted reports 4xx responses other than 403 and 429. They are not the service's fault, but
// seldom intended: a missing path is a mistake of the client.
func unaccepted(c *results.Cell) string {
	if c.Refused == 0 {
		return ""
	}
	return fmt.Sprintf("other%s4xx%s%s (%s of all), not counted as bad", noBreak, noBreak, number(c.Refused),
		percent(share(c.Refused, c.Requests)))
}

// rating is the result of comparing a cell with its objective.
type rating int

const (
	unrated rating = iota
	unclear
	violated
)

// judgement is a rating with the numbers behind it: the share of bad requests of a number of
// requests, and the allowed share.
type judgement struct {
	rating  rating
	of      int64
	allowed float64
	stats.Interval
}

// judge compares the share of bad requests of a cell with what its route's objective allows. The
// denominator is the number of the cell's requests, or for a cell without a version that of its
// cohort and route: if responses name their version, only failures have none, so such a cell would
// always be bad on its own. If the generator reached a limit, no cell is violated.
func judge(c *results.Cell, of int64, objectives []service.Objective, limited bool) judgement {
	success, ok := success(objectives, c.Route)
	if !ok || of == 0 {
		return judgement{}
	}
	j := judgement{of: of, allowed: 1 - success/100, Interval: stats.ClopperPearson(int(c.Bad), int(of), confidence)}
	// Floating-point differences between the percentage and the share do not count.
	const slack = 1e-9
	switch {
	case j.Low > j.allowed+slack && !limited:
		j.rating = violated
	case share(c.Bad, of) > j.allowed+slack:
		j.rating = unclear
	}
	return j
}

func success(objectives []service.Objective, route string) (percent float64, ok bool) {
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
