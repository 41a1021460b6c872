package loadreport

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coalmine/loadgen/results"
)

// maxBars is the maximum number of bars.
const maxBars = 18

// steps returns the bounds per decade of the histogram: fewer if the times span more decades.
func steps() [][]int { return [][]int{{10, 15, 20, 30, 50, 70}, {10, 20, 50}, {10}} }

// bin is a bar: the number of times above the previous bound and at most to.
type bin struct {
	to    time.Duration
	count int64
	names []string // of the quantiles in this bin
}

// bins counts times between bounds that grow by roughly the same factor. It omits empty bins at
// both ends.
func bins(l *results.Latencies, steps []int) []bin {
	var list []bin
	for unit := 100 * time.Nanosecond; unit <= time.Hour; unit *= 10 {
		for _, s := range steps {
			list = append(list, bin{to: unit * time.Duration(s)})
		}
	}
	find := func(d time.Duration) int {
		i, _ := slices.BinarySearchFunc(list, d, func(b bin, d time.Duration) int { return int(b.to - d) })
		return min(i, len(list)-1)
	}
	first, last := len(list), 0
	for b := range l.Buckets() {
		i := find(b.High)
		list[i].count += b.Count
		first, last = min(first, i), max(last, i)
	}
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		i := find(l.Quantile(q.q))
		list[i].names = append(list[i].names, q.name)
	}
	return list[first : last+1]
}

// latency draws the distribution of all latencies.
func (p *page) latency(l *results.Latencies) {
	var list []bin
	for _, s := range steps() {
		if list = bins(l, s); len(list) <= maxBars {
			break
		}
	}
	p.section("Latency", fmt.Sprintf("all requests: mean %s, p99.9 %s, max %s", span(l.Mean()),
		span(l.Quantile(0.999)), span(l.Max())))
	most, sum := int64(0), int64(0)
	for _, b := range list {
		most = max(most, b.count)
	}
	room := p.width - 1 - 12 - 11 - 8 - 9 - 13
	p.line(p.styled(faint, right("up to", 11)+"  "+strings.Repeat(" ", room)+right("requests", 11)+right("share", 8)+
		right("cumul.", 9)))
	for _, b := range list {
		sum += b.count
		drawn := bar(share(b.count, most), room)
		p.line(right(span(b.to), 11), "  ", p.styled(blue, drawn), strings.Repeat(" ", room-length(drawn)),
			right(number(b.count), 11), right(percent(share(b.count, l.Count())), 8),
			right(percent(share(sum, l.Count())), 9),
			p.styled(faint, "  "+strings.Join(b.names, " ")))
	}
	if l.Clamped > 0 {
		p.wrapped(1, warn, count(l.Clamped, "time was", "times were")+" negative or over an hour, and counted as 0 "+
			"or one hour.")
	}
}

// faultTruth reports which responses the injected fault affected, and how many of them were bad.
func (p *page) faultTruth(r *results.Results, all *results.Cell) {
	if all.Hit == 0 {
		return
	}
	p.section("Fault truth", "from the headers of the demo services")
	p.wrapped(1, plain, faultText(all))
	hit := slices.DeleteFunc(slices.Collect(r.Cells()), func(c *results.Cell) bool { return c.Hit == 0 })
	hidden := max(0, len(hit)-maxRows)
	hit = hit[:len(hit)-hidden]
	t := newLayout(p.width, hit, all, []column{
		{"requests", false, func(c *results.Cell) string { return number(c.Requests) }},
		{"hit", false, func(c *results.Cell) string { return number(c.Hit) }},
		{"harmed", false, func(c *results.Cell) string { return number(c.Harm) }},
	})
	p.line(p.styled(faint, t.head()))
	for _, c := range hit {
		p.line("     ", t.names(c), t.numbers(c))
	}
	p.more(hidden)
}

func faultText(all *results.Cell) string {
	return fmt.Sprintf("The injected fault affected %s (%s); %s of them were bad.",
		count(all.Hit, "request", "requests"), percent(share(all.Hit, all.Requests)), number(all.Harm))
}

func (p *page) generator(r *results.Results, all *results.Cell) {
	p.section("Generator", "")
	for _, n := range generatorNotes(r, all) {
		p.wrapped(1, n.style, n.text)
	}
}

// note is a sentence with its style.
type note struct {
	style style
	text  string
}

// generatorNotes reports how well the plan was kept, what was retried, and what was not sent.
func generatorNotes(r *results.Results, all *results.Cell) (list []note) {
	add := func(t style, text string) { list = append(list, note{t, text}) }
	if r.Lag.Count() > 0 {
		add(plain, fmt.Sprintf("Schedule error (how late requests were sent): p50 %s, p99 %s, max %s.",
			span(r.Lag.Quantile(0.5)), span(r.Lag.Quantile(0.99)), span(r.Lag.Max())))
	}
	if r.Run.Workers > 0 {
		add(plain, fmt.Sprintf("At most %s of %s were in flight at once.", number(r.Run.Peak),
			count(r.Run.Workers, "request", "requests")))
	}
	if again := all.Attempts - all.Requests; again > 0 {
		add(plain, fmt.Sprintf("%s for %s: %s (%s)%s.", count(all.Attempts, "attempt", "attempts"),
			count(all.Requests, "request", "requests"), count(again, "retry", "retries"),
			percent(share(again, all.Requests)), retries(r)))
	}
	if r.Run.Saturated {
		add(warn, "All workers were busy at times, so requests may have waited in the generator.")
	}
	if n := r.Run.Unsent; n > 0 {
		add(warn, count(n, "planned request was", "planned requests were")+" not sent because the load test was "+
			"stopped.")
	}
	if n := r.Stopped; n > 0 {
		add(warn, count(n, "request was", "requests were")+" in flight when the load test was stopped (not counted).")
	}
	return list
}

// retries lists the retries by cohort, if there are several cohorts.
func retries(r *results.Results) string {
	var parts []string
	for _, cohort := range r.Cohorts() {
		c := r.Sum(func(c *results.Cell) bool { return c.Cohort == cohort })
		if again := c.Attempts - c.Requests; again > 0 && len(r.Cohorts()) > 1 && len(parts) < 5 {
			parts = append(parts, fmt.Sprintf("%s %s", cohort, percent(share(again, c.Requests))))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; by cohort " + strings.Join(parts, ", ")
}
