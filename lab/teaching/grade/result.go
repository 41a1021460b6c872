package grade

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/verdict/score"
)

// Status says whether a submission has a grade. No grade is not the same as no points: it says
// nothing about the learner.
type Status string

// Statuses of a submission, and of its part for one scenario.
const (
	Graded    Status = "graded"
	NotGraded Status = "not graded"
)

// Cause is why a part is not graded.
type Cause string

// Causes.
const (
	CauseRefused Cause = "refused" // the folder, archive or commit cannot be read
	CauseLimit   Cause = "limit"   // it took more time or memory than a run may
	CauseCrash   Cause = "crash"   // the program that played it died
	CauseLab     Cause = "lab"     // the lab failed
)

// Outcomes of parts that were not played, and have no points for that reason.
const (
	OutcomeInvalid = "guardrails invalid"
	OutcomeNothing = "nothing handed in"
)

// OutcomePassed is the outcome of a part in which nothing was missed.
const OutcomePassed = score.OutcomePassed

// Part is what a submission is worth in one scenario.
type Part struct {
	Scenario string `json:"scenario"`
	Title    string `json:"title"`
	Status   Status `json:"status"`
	Cause    Cause  `json:"cause,omitempty"`
	// Outcome is that of the card, or one of this package's; Reason is one sentence.
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason"`
	// Points of Max. Without a grade both are what they would be at most: 0 of Max.
	Points int    `json:"points"`
	Max    int    `json:"max_points"`
	Items  []Item `json:"items,omitempty"`
	// HarmAvoided and Skill are those of the card; MTTD is the mean over the faulty runs that were
	// detected, in seconds.
	HarmAvoided *float64 `json:"harm_avoided,omitempty"`
	Skill       *float64 `json:"skill,omitempty"`
	MTTD        *float64 `json:"mttd,omitempty"`
	// Runs are those of the seeds that count, faulty ones first.
	Runs []Run `json:"runs,omitempty"`
	// Virtual is how long the runs lasted for their users, Real how long they took to play; both in
	// seconds. Real is 0 unless it was asked for.
	Virtual float64 `json:"virtual_seconds,omitempty"`
	Real    float64 `json:"real_seconds,omitempty"`
	// Own is the scenario's own guardrails that these are a copy of.
	Own string `json:"own_guardrails,omitempty"`
	// Practice is what came of the public seeds, which do not count.
	Practice *Practice `json:"practice,omitempty"`

	// Digest is that of the files, Documents that of the YAML documents in them, without comments
	// and layout.
	Digest    string `json:"files_sha256,omitempty"`
	Documents string `json:"documents_sha256,omitempty"`
	// Features are digests of what the learner added to the starter, for the search for similar
	// submissions.
	Features []string `json:"features,omitempty"`
	// Warnings are the rules of lint that warn.
	Warnings []string `json:"warnings,omitempty"`
}

// Item is one line of the rubric.
type Item struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Points    int    `json:"points"`
	Max       int    `json:"max"`
	Essential bool   `json:"essential,omitempty"`
	Reason    string `json:"reason"`
}

// Run is one run of the learner's guardrails.
type Run struct {
	Role    string  `json:"role"`
	Verdict string  `json:"verdict"`
	Good    bool    `json:"good"`
	Reason  string  `json:"reason"`
	Virtual float64 `json:"virtual_seconds"`
}

// Practice is the card of the public seeds, in short.
type Practice struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Points  int    `json:"points"`
	Max     int    `json:"max_points"`
	Runs    []Run  `json:"runs"`
	// HarmAvoided, Skill and MTTD are as in [Part].
	HarmAvoided *float64 `json:"harm_avoided,omitempty"`
	Skill       *float64 `json:"skill,omitempty"`
	MTTD        *float64 `json:"mttd,omitempty"`
	// Card is the card as a terminal shows it, with colours.
	Card string `json:"card"`
}

// Learner is what one submission is worth.
type Learner struct {
	Learner    string `json:"learner"`
	Submission string `json:"submission"`
	FullName   string `json:"full_name,omitempty"`
	CanvasID   string `json:"canvas_id,omitempty"`
	Status     Status `json:"status"`
	Points     int    `json:"points"`
	Max        int    `json:"max_points"`
	Parts      []Part `json:"parts"`
}

// sum adds up the parts. A learner has a grade if each part has one.
func (l *Learner) sum() {
	l.Status, l.Points, l.Max = Graded, 0, 0
	for _, p := range l.Parts {
		l.Points += p.Points
		l.Max += p.Max
		if p.Status != Graded {
			l.Status = NotGraded
		}
	}
}

// Percent is the share of the points, 0 to 100.
func (l *Learner) Percent() float64 {
	if l.Max == 0 {
		return 0
	}
	return 100 * float64(l.Points) / float64(l.Max)
}

// Reason says why there is no grade, or why points are missing; "" for full points.
func (l *Learner) Reason() string {
	worst := slices.MinFunc(l.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Points-a.Max, b.Points-b.Max))
	})
	if worst.Status == Graded && worst.Points == worst.Max {
		return ""
	}
	if len(l.Parts) == 1 {
		return worst.Reason
	}
	return worst.Scenario + ": " + worst.Reason
}

func rank(p Part) int {
	if p.Status == NotGraded {
		return 0
	}
	return 1
}

// runName is the name of a run with its seed.
var runName = regexp.MustCompile(`\b(faulty|healthy|unguarded|reference)-seed(\d+)\b`)

// withoutSeeds returns a text that numbers the runs of a card and does not name their seeds: what a
// learner may read must not give them away.
func withoutSeeds(text string, c *score.Card) string {
	return runName.ReplaceAllStringFunc(text, func(name string) string {
		role, seed, _ := strings.Cut(name, "-seed")
		n := 0
		for _, r := range c.Runs {
			if r.Role == string(score.RoleFaulty) {
				n++
			}
			if strconv.FormatUint(r.Seed, 10) == seed {
				return fmt.Sprintf("%s run %d", role, n)
			}
		}
		return role + " run"
	})
}

// fill takes over what a card says.
func (p *Part) fill(c *score.Card) {
	p.Outcome, p.Points, p.Max, p.Own = c.Outcome, c.Points, c.MaxPoints, c.Own
	p.Reason = withoutSeeds(c.Reason, c)
	if _, rest, ok := strings.Cut(p.Reason, ", without check seeds: "); ok {
		p.Reason = rest // a card calls its own seeds practice seeds; here they are the secret ones
	}
	p.HarmAvoided, p.Skill = c.Harm.Avoided, c.Skill
	p.Items, p.Runs = nil, runsOf(c)
	for _, i := range c.Items {
		p.Items = append(p.Items, Item{i.ID, i.Title, i.Points, i.Max, i.Essential,
			withoutSeeds(i.Reason, c)})
	}
	p.Virtual = 0
	for _, r := range p.Runs {
		p.Virtual += r.Virtual
	}
	p.MTTD = meanMTTD(c)
	switch c.Exit {
	case score.ExitLabFailed:
		p.withoutGrade(CauseLab, p.Reason)
	case score.ExitInconclusive:
		p.withoutGrade(CauseLab, "the runs say nothing about the guardrails: "+p.Reason)
	default:
		p.Status = Graded
	}
}

// meanMTTD is the mean time to detection of the runs that were detected, in seconds; nil if none was.
func meanMTTD(c *score.Card) *float64 {
	var sum float64
	n := 0
	for _, r := range c.Runs {
		if r.MTTD != nil {
			sum += seconds(*r.MTTD)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}

func runsOf(c *score.Card) []Run {
	runs := []Run{}
	for _, r := range c.Runs {
		runs = append(runs, Run{Role: r.Role, Verdict: string(r.Verdict), Good: r.Verdict.Good(),
			Reason:  withoutSeeds(r.Reason, c),
			Virtual: seconds(r.End)})
	}
	return runs
}

// withoutGrade makes the part one that is not graded.
func (p *Part) withoutGrade(why Cause, reason string) {
	p.Status, p.Cause, p.Outcome, p.Reason, p.Points = NotGraded, why, "", reason, 0
	p.Items, p.Runs, p.HarmAvoided, p.Skill, p.MTTD = nil, nil, nil, nil, nil
}

// withoutPoints makes the part one that is graded, and has no points: there is no evidence for any.
func (p *Part) withoutPoints(outcome, reason string) {
	p.Status, p.Outcome, p.Reason, p.Points = Graded, outcome, reason, 0
}
