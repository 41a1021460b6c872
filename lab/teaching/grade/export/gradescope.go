package export

import (
	"fmt"
	"math"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/teaching/grade"
)

// gradescope is the results.json of Gradescope's autograder. Source: "Autograder Specifications",
// gradescope/autograder_samples, docs/specs.
type gradescope struct {
	Score        *int               `json:"score,omitempty"`
	Output       string             `json:"output"`
	OutputFormat string             `json:"output_format"`
	StdoutVis    string             `json:"stdout_visibility"`
	Tests        []gradescopeTest   `json:"tests,omitempty"`
	Leaderboard  []leaderboardEntry `json:"leaderboard,omitempty"`
	ExtraData    map[string]string  `json:"extra_data"`
}

type gradescopeTest struct {
	Score        *int   `json:"score,omitempty"`
	MaxScore     *int   `json:"max_score,omitempty"`
	Status       string `json:"status"`
	Name         string `json:"name"`
	Number       string `json:"number"`
	Output       string `json:"output"`
	OutputFormat string `json:"output_format"`
	Visibility   string `json:"visibility"`
}

type leaderboardEntry struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	Order string `json:"order,omitempty"`
}

// Visibilities of a test: what the public seeds show is visible at once, what the secret ones show
// after the due date.
const (
	visible = "visible"
	later   = "after_due_date"
	hidden  = "hidden"
)

// Gradescope returns the results.json of a learner. Without a grade it has neither score nor tests,
// which Gradescope reports as a failure of the autograder and not as a zero.
func Gradescope(l *grade.Learner) any {
	r := gradescope{OutputFormat: "ansi", StdoutVis: hidden, ExtraData: map[string]string{}}
	for n, p := range l.Parts {
		r.ExtraData[p.Scenario] = p.Digest
		if p.Practice != nil {
			r.Output += p.Practice.Card + "\n"
			r.practice(n+1, p)
		} else if p.Outcome == grade.OutcomeInvalid || p.Outcome == grade.OutcomeNothing {
			r.Output += fmt.Sprintf("%s: %s: %s\n", p.Scenario, p.Outcome, format.Clean(p.Reason))
		}
		for i, item := range p.Items {
			r.add(gradescopeTest{Score: &item.Points, MaxScore: &item.Max, Status: status(item.Points == item.Max),
				Name: p.Scenario + ": " + item.Title, Number: fmt.Sprintf("%d.%d", n+1, 100+i),
				Output: item.Reason, Visibility: later})
		}
		for i, run := range p.Runs {
			r.add(gradescopeTest{Status: status(run.Good),
				Name:   fmt.Sprintf("%s: secret run %d, %s release", p.Scenario, i+1, run.Role),
				Number: fmt.Sprintf("%d.%d", n+1, 200+i), Output: run.Verdict + ": " + run.Reason, Visibility: later})
		}
	}
	if l.Status != grade.Graded {
		r.Output, r.Tests, r.Leaderboard = "not graded: "+format.Clean(l.Reason())+"\n", nil, nil
		return r
	}
	r.Score = &l.Points
	if r.Output == "" {
		r.Output = "The secret runs show after the due date.\n"
	}
	return r
}

// practice adds what the public seeds show. The leaderboard rests on them alone: it is public, and
// must not help to guess the secret ones.
func (r *gradescope) practice(n int, p grade.Part) {
	k := p.Practice
	for i, run := range k.Runs {
		r.add(gradescopeTest{Status: status(run.Good),
			Name:   fmt.Sprintf("%s: public run %d, %s release", p.Scenario, i+1, run.Role),
			Number: fmt.Sprintf("%d.%d", n, i+1), Output: run.Verdict + ": " + run.Reason, Visibility: visible})
	}
	if k.HarmAvoided != nil {
		r.Leaderboard = append(r.Leaderboard, leaderboardEntry{p.Scenario + ": harm avoided (%)",
			math.Round(1000**k.HarmAvoided) / 10, "desc"})
	}
	if k.MTTD != nil {
		r.Leaderboard = append(r.Leaderboard, leaderboardEntry{p.Scenario + ": MTTD (s)", math.Round(*k.MTTD), "asc"})
	}
	if k.Skill != nil {
		r.Leaderboard = append(r.Leaderboard, leaderboardEntry{p.Scenario + ": skill", math.Round(100**k.Skill) / 100,
			"desc"})
	}
}

func (r *gradescope) add(t gradescopeTest) {
	t.Name, t.Output, t.OutputFormat = format.Clean(t.Name), format.Clean(t.Output), "text"
	r.Tests = append(r.Tests, t)
}

func status(good bool) string {
	if good {
		return "passed"
	}
	return "failed"
}

// classroom50 is the part of Classroom 50's result.json v1 that a grader knows. The runner's shim
// adds who handed in what.
type classroom50 struct {
	Schema   string            `json:"schema"`
	Score    int               `json:"score"`
	MaxScore int               `json:"max-score"`
	Tests    []classroom50Test `json:"tests"`
}

type classroom50Test struct {
	Name     string `json:"test-name"`
	Passed   bool   `json:"passed"`
	Score    int    `json:"score"`
	MaxScore int    `json:"max-score"`
	Reason   string `json:"reason,omitempty"`
}

// Classroom50 returns the result.json of a learner, or nil if there is no grade: its runner takes a
// missing file for a failure of the grader. The tests add up to the score, so points that an
// essential item took away are a test of their own.
func Classroom50(l *grade.Learner) any {
	if l.Status != grade.Graded {
		return nil
	}
	r := classroom50{Schema: "classroom50/result/v1", Score: l.Points, MaxScore: l.Max, Tests: []classroom50Test{}}
	for _, p := range l.Parts {
		sum := 0
		for _, i := range p.Items {
			sum += i.Points
			r.Tests = append(r.Tests, classroom50Test{Name: testName(p.Scenario + ": " + i.Title),
				Passed: i.Points == i.Max, Score: i.Points, MaxScore: i.Max, Reason: format.Clean(i.Reason)})
		}
		if len(p.Items) == 0 {
			r.Tests = append(r.Tests, classroom50Test{Name: testName(p.Scenario), MaxScore: p.Max,
				Reason: format.Clean(p.Reason)})
		}
		if sum > p.Points {
			r.Tests = append(r.Tests, classroom50Test{Name: testName(p.Scenario + ": essential items"),
				Score: p.Points - sum, Reason: format.Clean(p.Reason)})
		}
	}
	return r
}

// maxTestName is Classroom 50's limit in bytes.
const maxTestName = 100

func testName(s string) string {
	s = format.Clean(s)
	if len(s) > maxTestName {
		s = strings.ToValidUTF8(s[:maxTestName], "")
	}
	return s
}

// Release returns what a Classroom 50 release and a comment on a pull request say. It is what a
// learner may read: it names no secret seed.
func Release(l *grade.Learner) []byte {
	var b strings.Builder
	if l.Status != grade.Graded {
		fmt.Fprintf(&b, "**Not graded**: %s\n", escape(l.Reason()))
		return []byte(b.String())
	}
	fmt.Fprintf(&b, "**%d of %d points**\n", l.Points, l.Max)
	for _, p := range l.Parts {
		fmt.Fprintf(&b, "\n### %s: %d of %d\n\n%s: %s\n", escape(p.Title), p.Points, p.Max, p.Outcome, escape(p.Reason))
		if len(p.Items) > 0 {
			b.WriteString("\n| Points | Item | Why |\n|---|---|---|\n")
		}
		for _, i := range p.Items {
			fmt.Fprintf(&b, "| %d/%d | %s | %s |\n", i.Points, i.Max, escape(i.Title), escape(i.Reason))
		}
	}
	return []byte(b.String())
}

// escape makes a text one line of Markdown without markup, links or mentions.
func escape(s string) string {
	s = format.Clean(strings.Join(strings.Fields(s), " "))
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]<>()#|!~&@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
