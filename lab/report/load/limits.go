package loadreport

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"coalmine/loadgen/results"
)

// limits reports the limits that the generator reached. It comes first, because no other figure can
// be trusted then.
func (p *page) limits(r *results.Results) {
	for _, l := range r.Limits() {
		p.wrapped(1, warn, limitText(l))
	}
}

func limitText(l results.Limit) string {
	return "The generator " + l.Text + ". This is not the server's fault, so nothing is judged. " + l.Advice
}

// none says why there is no request to report.
func none(r *results.Results, all *results.Cell) string {
	switch {
	case len(r.NotSent) > 0:
		return "No request was sent."
	case all.Attempts+r.Run.Unsent+r.Stopped == 0:
		return "No request was planned: the rate is too low for the duration."
	}
	return "No request has ended."
}

// maxErrors limits the error texts that are shown.
const maxErrors = 10

// errors lists the texts of the errors for which attempts had no response, most frequent first.
func (p *page) errors(r *results.Results) {
	if len(r.Errors) == 0 {
		return
	}
	texts := errorTexts(r)
	p.section("Errors", "attempts without a response")
	width := 0
	for _, n := range r.Errors {
		width = max(width, length(number(n)))
	}
	for _, text := range texts[:min(len(texts), maxErrors)] {
		p.line(right(number(r.Errors[text]), width+5), "  ", cut(text, p.width-width-8))
	}
	if more := len(texts) - maxErrors; more > 0 {
		p.wrapped(5, faint, "… and "+count(int64(more), "more text", "more texts")+"; see --json or --save")
	}
}

// errorTexts returns the texts of errors, most frequent first.
func errorTexts(r *results.Results) []string {
	return slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Errors[b], r.Errors[a]), strings.Compare(a, b))
	})
}
