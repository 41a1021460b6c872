package report

import (
	"fmt"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/timeline"
)

func (p *page) runHead(t *timeline.Timeline) {
	r := t.Run
	role := ""
	if r.Role != "" {
		role = " (" + r.Role + ")"
	}
	guard := "with guardrails"
	if !r.Guarded {
		guard = "without guardrails"
	}
	title := cut(fmt.Sprintf("%s: %s %s%s over %s", r.Scenario, r.Service, r.Version, role, r.Baseline), p.width-20)
	p.line()
	p.spread(" "+p.in(bold, title), length(title)+1, fmt.Sprintf("seed %d", r.Seed), faint)
	p.line(" ", p.in(faint, strings.Repeat("─", p.width-2)))
	p.line(" ", p.in(faint, fmt.Sprintf("%s on cluster %s, mesh %s", guard, format.Clean(r.Cluster),
		format.Clean(r.Mesh))))
}

func (p *page) decisions(t *timeline.Timeline) {
	p.section("What happened", "time · event · in words")
	for _, e := range narrative.Of(t) {
		head := fmt.Sprintf(" %6s %6s  ", format.Clock(e.At), fmt.Sprintf("#%d", e.Seq))
		for i, l := range wrap(e.Text, p.width-length(head)-1) {
			if i > 0 {
				head = strings.Repeat(" ", length(head))
			}
			p.line(p.in(faint, head), p.in(styleOf(e.Severity), l))
		}
		for _, q := range e.Quotes {
			p.wrapped(17, faint, "Flagger: “"+q+"”")
		}
	}
}

// styleOf is how a terminal shows a severity.
func styleOf(t narrative.Severity) style {
	switch t {
	case narrative.Milestone:
		return bold
	case narrative.Detail:
		return faint
	case narrative.Good:
		return good
	case narrative.Warning:
		return warn
	case narrative.Bad:
		return bad
	}
	return plain
}

// runSummary adds up what users got.
func (p *page) runSummary(t *timeline.Timeline) {
	all := t.Sum(nil)
	if all.N == 0 {
		return
	}
	p.section("What users got", "")
	p.line(p.in(faint, "   cohort                 requests       bad      harm   on the canary"))
	for _, name := range t.Cohorts() {
		s := t.Sum(timeline.InCohort(name))
		canary := t.Sum(timeline.AllOf(timeline.InCohort(name), t.OnCanary()))
		p.line("   ", left(name, 20), right(format.Number(s.N), 11), right(format.Number(s.Bad), 10),
			right(format.Number(s.Harm), 10), right(format.Number(canary.N), 16))
	}
	p.line("   ", left("all", 20), right(format.Number(all.N), 11), right(format.Number(all.Bad), 10),
		right(format.Number(all.Harm), 10),
		right(format.Number(t.Sum(t.OnCanary()).N), 16))
	p.wrapped(3, plain, runText(t))
}

func runText(t *timeline.Timeline) string {
	var parts []string
	if t.FirstBad.Happened() && t.Detected.Happened() {
		parts = append(parts, "noticed "+format.Duration(t.Detected.Since(t.FirstBad))+" after the first bad request")
	}
	if t.FirstBad.Happened() && t.Abort.Happened() {
		parts = append(parts, "over after "+format.Duration(t.LastBad.Since(t.FirstBad)))
	}
	if t.CanaryRequests > 0 {
		parts = append(parts, fmt.Sprintf("the canary answered %s of the service's requests during the analysis",
			format.Percent(t.ActualShare())))
	}
	return strings.Join(parts, " · ")
}
