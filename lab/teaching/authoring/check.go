package authoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/run"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
)

// Outcomes of a check.
const (
	OK      = "ok"
	Failed  = "FAIL"
	Skipped = "skip"
)

// Line is the result of one check.
type Line struct {
	Check   string `json:"check"`
	Outcome string `json:"outcome"`
	// Message is what was found. Hint says what to do if it failed.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Report is the result of all checks, in the order in which a scenario is written.
type Report struct {
	Scenario string `json:"scenario"`
	Lines    []Line `json:"checks"`
}

// Passed reports whether no check failed.
func (r Report) Passed() bool { return r.count(Failed) == 0 }

func (r Report) count(outcome string) int {
	n := 0
	for _, l := range r.Lines {
		if l.Outcome == outcome {
			n++
		}
	}
	return n
}

// Text writes a line for each check, with what to do about a failed one, and a line that counts.
func (r Report) Text(w io.Writer) error {
	width := 0
	for _, l := range r.Lines {
		width = max(width, len(l.Check))
	}
	for _, l := range r.Lines {
		text := fmt.Sprintf("%-4s  %-*s  %s", l.Outcome, width, l.Check, format.Clean(l.Message))
		if l.Hint != "" {
			text += "; " + format.Clean(l.Hint)
		}
		fmt.Fprintln(w, text)
	}
	text := fmt.Sprintf("%s: %d of %s passed", r.Scenario, r.count(OK), format.Plural(len(r.Lines), "check"))
	if n := r.count(Skipped); n > 0 {
		text += fmt.Sprintf(", %d skipped", n)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// Options of a check.
type Options struct {
	// Seeds are played for the naive guardrails and for the solution; with 0, no run is played.
	Seeds int
	// Margin is the least distance in points between the worst seed of the solution and the best one
	// of the naive guardrails.
	Margin  int
	Player  run.Player
	Workers int
}

// checker collects the lines of a scenario.
type checker struct {
	src *trial.Source
	// dir is the scenario's folder as the user wrote it.
	dir    string
	report Report
}

// Check checks a scenario that could be read; dir is the path of its folder. The error is one of the
// lab.
func Check(ctx context.Context, src *trial.Source, dir string, o Options) (Report, error) {
	c := &checker{src: src, dir: dir, report: Report{Scenario: src.Scenario.Name}}
	c.name()
	c.rubric()
	c.vary()
	c.labels()
	briefing, err := src.Briefing()
	c.readable("briefing", err, func() { c.briefing(briefing) })
	c.quiz()
	if c.guardrails(ctx) {
		return c.report, c.runs(ctx, o)
	}
	for _, check := range []string{checkIncident, checkSolution, checkNaive, checkStarter} {
		c.add(check, Skipped, "", "the guardrails above cannot be played")
	}
	return c.report, nil
}

func (c *checker) add(check, outcome, hint, format string, args ...any) {
	c.report.Lines = append(c.report.Lines, Line{check, outcome, fmt.Sprintf(format, args...), hint})
}

// expect adds a passed check, or a failed one for the first problem.
func (c *checker) expect(check, fine string, problems ...problem) {
	for _, p := range problems {
		if p.found {
			c.add(check, Failed, p.hint, "%s", p.message)
			return
		}
	}
	c.add(check, OK, "", "%s", fine)
}

// problem is one way in which a check fails.
type problem struct {
	found         bool
	message, hint string
}

// readable runs a check on what was read, or reports why it could not be read.
func (c *checker) readable(check string, err error, run func()) {
	if err != nil {
		c.add(check, Failed, "", "%s", oneLine(err))
		return
	}
	run()
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (c *checker) name() {
	name := c.src.Scenario.Name
	folder := name
	if path, err := filepath.Abs(c.dir); err == nil {
		folder = filepath.Base(path)
	}
	c.expect("name", "the folder and metadata.name are "+name,
		problem{folder != name, fmt.Sprintf("metadata.name is %s and the folder is called %s", name, folder),
			"give both the same name, by which learners find the scenario"},
		problem{c.src.OnDisk() && trial.InLibrary(name), "the library has a scenario " + name, "write another name"})
}

// points that a rubric should add up to.
const points = 100

func (c *checker) rubric() {
	sum := 0
	var missing []string
	for _, id := range []string{"caught", "healthy-promoted"} {
		if !slices.ContainsFunc(c.src.Scenario.Rubric.Items, func(i scenario.RubricItem) bool {
			return i.ID == id && i.Essential
		}) {
			missing = append(missing, id)
		}
	}
	var bare []string
	for _, i := range c.src.Scenario.Rubric.Items {
		sum += i.Points
		if i.Hint == "" {
			bare = append(bare, i.ID)
		}
	}
	least := c.src.Scenario.Rubric.MinEvidence
	c.expect("rubric", fmt.Sprintf("%s for %s, each with a hint", format.Plural(sum, "point"),
		format.Plural(len(c.src.Scenario.Rubric.Items), "item")),
		problem{len(missing) > 0, "there is no essential item " + strings.Join(missing, " and "),
			"add it with essential: true, so that guardrails that stop everything or nothing cannot pass"},
		problem{sum != points, fmt.Sprintf("the items add up to %d points", sum), "make it 100"},
		problem{len(bare) > 0, "no hint says what to change if " + strings.Join(bare, ", ") + " fails", "write hint"},
		problem{least.Checks == 0 || least.FailedChecks == 0, "minEvidence lets a rollback or a promotion pass that " +
			"measured nothing", "write minEvidence: {checks: 3, failedChecks: 1}"})
}

func (c *checker) vary() {
	n := len(c.src.Scenario.Vary)
	c.expect("vary", "check seeds draw "+format.Plural(n, "parameter"),
		problem{n == 0, "check seeds draw nothing, so guardrails can be tuned to this one incident",
			"list two or three parameters with ranges that keep the lesson"})
}

// guardrails reports whether all variants can be played.
func (c *checker) guardrails(ctx context.Context) bool {
	fine := true
	for _, variant := range []string{naive, scenario.Starter, scenario.Solution} {
		line, err := c.lint(ctx, variant)
		if err != nil {
			fine = false
			line = Line{Outcome: Failed, Message: oneLine(err), Hint: "write manifests into " + variant + "/"}
			if !errors.As(err, new(missingVariant)) {
				line.Hint = "coalmine lint " + variant + " --scenario " + c.src.Scenario.Name + " has all of it"
			}
		}
		line.Check = variant + "/"
		c.report.Lines = append(c.report.Lines, line)
	}
	return fine
}
