package report

import (
	"fmt"
	"strings"

	"coalmine/lab/report/words"
	"coalmine/lab/timeline"
	"coalmine/lab/timeline/story"
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
	p.line(" ", p.in(faint, fmt.Sprintf("%s on cluster %s, mesh %s", guard, words.Clean(r.Cluster), words.Clean(r.Mesh))))
}

func (p *page) decisions(t *timeline.Timeline) {
	p.section("What happened", "time · event · in words")
	for _, e := range story.Of(t) {
		head := fmt.Sprintf(" %6s %6s  ", words.Clock(e.At), fmt.Sprintf("#%d", e.Seq))
		for i, l := range wrap(e.Text, p.width-length(head)-1) {
			if i > 0 {
				head = strings.Repeat(" ", length(head))
			}
			p.line(p.in(faint, head), p.in(toneOf(e.Tone), l))
		}
		for _, q := range e.Quotes {
			p.wrapped(17, faint, "Flagger: “"+q+"”")
		}
	}
}

// toneOf is how a terminal shows a tone of the story.
func toneOf(t story.Tone) tone {
	switch t {
	case story.Strong:
		return bold
	case story.Faint:
		return faint
	case story.Good:
		return good
	case story.Warn:
		return warn
	case story.Bad:
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
		s := t.Sum(timeline.Of(name))
		canary := t.Sum(timeline.And(timeline.Of(name), t.OnCanary()))
		p.line("   ", left(name, 20), right(words.Number(s.N), 11), right(words.Number(s.Bad), 10), right(words.Number(s.Harm), 10), right(words.Number(canary.N), 16))
	}
	p.line("   ", left("all", 20), right(words.Number(all.N), 11), right(words.Number(all.Bad), 10), right(words.Number(all.Harm), 10),
		right(words.Number(t.Sum(t.OnCanary()).N), 16))
	p.wrapped(3, plain, runWords(t))
}

func runWords(t *timeline.Timeline) string {
	var parts []string
	if t.FirstBad.Seen() && t.Detected.Seen() {
		parts = append(parts, "noticed "+words.Span(t.Detected.Since(t.FirstBad))+" after the first bad request")
	}
	if t.FirstBad.Seen() && t.Abort.Seen() {
		parts = append(parts, "over after "+words.Span(t.LastBad.Since(t.FirstBad)))
	}
	if t.CanaryRequests > 0 {
		parts = append(parts, fmt.Sprintf("the canary answered %s of the service's requests during the analysis", words.Percent(t.ActualShare())))
	}
	return strings.Join(parts, " · ")
}
