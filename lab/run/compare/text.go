package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"coalmine/lab/event"
	"coalmine/lab/format"
)

// Text writes a comparison as tables, one for each run: a line for each figure, with both values and
// the difference.
func (c *Comparison) Text(w io.Writer) error {
	for i, s := range c.Sides {
		fmt.Fprintf(w, "%c  %s: %s on %s (%s)\n", 'A'+rune(i), s.Name, s.Scenario, s.Cluster, s.Mesh)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(w, "   Note: %s\n", note)
	}
	for _, r := range c.Runs {
		fmt.Fprintln(w)
		if err := r.text(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", c.Summary())
	return err
}

// Summary says in one line whether the folders agree.
func (c *Comparison) Summary() string {
	same := 0
	for _, r := range c.Runs {
		if r.SameOutcome && r.SameStep {
			same++
		}
	}
	n := format.Plural(len(c.Runs), "run")
	if c.Agree() {
		return "Outcome and step agree in " + n + "."
	}
	return fmt.Sprintf("Outcome or step differ in %d of %s.", len(c.Runs)-same, n)
}

func (r Run) text(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	a, b := r.Figures[0], r.Figures[1]
	t.row(r.Name, "A", "B", "")
	t.row("  outcome", a.Verdict.Text(), b.Verdict.Text(), differs(r.SameOutcome))
	t.row("  rolled back at step", stepText(a), stepText(b), differs(r.SameStep))
	t.time("  released", a.Released, b.Released)
	t.time("  first bad request", a.FirstBad, b.FirstBad)
	t.time("  detected", a.Detected, b.Detected)
	t.time("  rolled back", a.Abort, b.Abort)
	t.time("  promoted", a.Promoted, b.Promoted)
	t.count("  requests harmed", a.Harm, b.Harm)
	t.count("  users hurt", a.UsersHurt, b.UsersHurt)
	t.count("  answered by the canary", a.CanaryRequests, b.CanaryRequests)
	t.row("  share of the canary", format.Percent(a.Share), format.Percent(b.Share), "")
	t.requests("  all requests", a.Requests, b.Requests)
	names := slices.Sorted(maps.Keys(a.Cohorts))
	for name := range b.Cohorts {
		if _, both := a.Cohorts[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		t.requests("  cohort "+format.Clean(name), a.Cohorts[name], b.Cohorts[name])
	}
	return t.w.Flush()
}

func differs(same bool) string {
	if same {
		return "same"
	}
	return "DIFFERENT"
}

func stepText(f Figures) string {
	if f.Step == nil {
		return format.Missing
	}
	return fmt.Sprintf("%d (%d %%)", *f.Step, *f.Weight)
}

// table writes lines of a name, two values and their difference.
type table struct{ w *tabwriter.Writer }

func (t *table) row(name, a, b, difference string) {
	fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\n", name, a, b, difference)
}

func (t *table) time(name string, a, b *event.Seconds) {
	difference := ""
	if a != nil && b != nil {
		difference = format.Offset(*b - *a)
	}
	t.row(name, format.OptionalClock(a), format.OptionalClock(b), difference)
}

func (t *table) count(name string, a, b int) {
	difference := ""
	if a != b {
		difference = fmt.Sprintf("%+d", b-a)
	}
	t.row(name, format.Number(a), format.Number(b), difference)
}

// requests writes the counts of one group of requests; of the statuses only those that occurred.
func (t *table) requests(name string, a, b Requests) {
	t.count(name, a.All, b.All)
	for _, c := range []struct {
		status string
		a, b   int
	}{
		{"5xx or no answer", a.Failed, b.Failed},
		{"403", a.Denied, b.Denied},
		{"429", a.Limited, b.Limited},
		{"other statuses", a.Other, b.Other},
		{"bad for users", a.Bad, b.Bad},
	} {
		if c.a > 0 || c.b > 0 {
			t.count("    "+c.status, c.a, c.b)
		}
	}
}
