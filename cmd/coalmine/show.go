package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
	"coalmine/tui/wrap"
)

func newShowCommand(env *Env) *cobra.Command {
	var (
		asJSON bool
		hints  int
	)
	cmd := &cobra.Command{
		Use:   "show SCENARIO",
		Short: "Show the briefing, the services, the traffic and the points",
		Long: "Show the briefing, the services, the traffic and the points. --hints shows hints of the briefing; for " +
			"scenarios of the library they cost points, and your progress records them.",
		Example: `coalmine show full-rollout
coalmine show full-rollout --hints 1
coalmine show ./my-scenario --json`,
		Args: exactly("SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := env.openScenario(args[0])
			if err != nil {
				return err
			}
			defer src.Close()
			if hints < 0 {
				return usage(cmd, fmt.Errorf("--hints is %d: write 0 or more", hints))
			}
			questions, err := questionsOf(src)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Out, newScenarioJSON(src.Scenario, questions))
			}
			if err := writeScenario(env.markdownOut(), src, questions, hints); err != nil {
				return err
			}
			env.recordHints(src, hints)
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().IntVar(&hints, "hints", 0, "show the first `N` hints too")
	return cmd
}

// questionsOf counts the questions of a scenario's quiz; 0 without one.
func questionsOf(src *trial.Source) (int, error) {
	quiz, err := src.Quiz()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return len(quiz.Questions), nil
}

func writeScenario(w markdownWriter, src *trial.Source, questions, hints int) error {
	briefing, err := src.Briefing()
	if err != nil {
		return err
	}
	if briefing.Text != "" {
		w.markdown(briefing.Text)
	} else {
		w.markdown("# " + src.Scenario.Title + "\n\n" + src.Scenario.Summary)
	}
	writeHints(w, src, briefing.Hints, hints)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	aligned := markdownWriter{t, w.width, w.theme}
	for _, section := range []func(markdownWriter, *scenario.Scenario){showServices, showTraffic, showObjectives,
		showRubric} {
		section(aligned, src.Scenario)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	variants, err := src.Variants()
	if err != nil {
		return err
	}
	if len(variants) > 0 {
		fmt.Fprintf(w, "\nGuardrails included: %s\n", strings.Join(variants, ", "))
	}
	if questions > 0 {
		fmt.Fprintf(w, "The quiz has %s.\n", format.Plural(questions, "question"))
	}
	return nil
}

// writeHints prints the first hints and the price of the next one.
func writeHints(w markdownWriter, src *trial.Source, all []scenario.Hint, hints int) {
	if len(all) == 0 {
		return
	}
	w.heading("Hints")
	for i, h := range all[:min(hints, len(all))] {
		w.markdown("### " + h.Heading(i+1) + "\n\n" + h.Text)
		fmt.Fprintln(w)
	}
	if hints >= len(all) {
		return
	}
	of := pointsOf(src.Scenario)
	next := scenario.HintCost(hints+1, of) - scenario.HintCost(hints, of)
	fmt.Fprintf(w, "%s more: --hints %d shows the next one, for %s.\n", format.Plural(len(all)-hints, "hint"), hints+1,
		format.Plural(next, "point"))
}

// pointsOf adds up the points of a scenario.
func pointsOf(s *scenario.Scenario) int {
	sum := 0
	for _, i := range s.Rubric.Items {
		sum += max(0, i.Points)
	}
	return sum
}

func showServices(w markdownWriter, s *scenario.Scenario) {
	w.heading("Services")
	column := 0 // the tab stop of the second column
	for _, svc := range s.Services {
		column = max(column, len(svc.Name)+2)
		for name := range svc.Versions {
			column = max(column, len(name)+4)
		}
	}
	for _, svc := range s.Services {
		fmt.Fprintf(w, "%s\tport %d\t%s\truns %s\n", svc.Name, svc.Port, format.Plural(svc.Replicas, "pod"),
			svc.Baseline)
		for _, name := range slices.Sorted(maps.Keys(svc.Versions)) {
			showVersion(w, "  "+name, svc.Versions[name].Notes, column)
		}
	}
	fmt.Fprintf(w, "\nReleased: %s, the faulty version %s and the healthy version %s.\n", s.Release.Service,
		s.Release.Faulty, s.Release.Healthy)
	fmt.Fprintf(w, "Traffic runs %v before the release and %v after it.\n", format.Setting(s.Timing.Baseline),
		format.Setting(s.Timing.Horizon))
}

// showVersion writes a version and its notes, wrapped from a column on.
func showVersion(w markdownWriter, name, notes string, column int) {
	lines := []string{notes}
	if w.width > 0 && notes != "" {
		lines = wrap.Text(notes, w.width-column)
	}
	for i, line := range lines {
		if i > 0 {
			name = ""
		}
		fmt.Fprintln(w, strings.TrimSuffix(name+"\t"+line, "\t"))
	}
}

func showTraffic(w markdownWriter, s *scenario.Scenario) {
	if r := s.Traffic.Replay; r != nil {
		w.heading("Traffic")
		fmt.Fprintf(w, "%s of the access log %s, over %v\n", format.Plural(len(r.Lines), "request"), s.LogName(),
			format.Setting(r.Length()))
		for _, c := range s.Traffic.Cohorts {
			fmt.Fprintln(w, c.Name)
		}
		return
	}
	w.heading("Traffic")
	fmt.Fprintf(w, "%.0f requests per second on average\n", s.Traffic.Rate.Mean(s.Timing.Baseline+s.Timing.Horizon))
	for _, c := range s.Traffic.Cohorts {
		fmt.Fprintf(w, "%s\t%.3g %%\t%s\n", c.Name, 100*c.Share, asksText(c))
	}
}

// asksText describes the requests of a cohort.
func asksText(c loadgen.Cohort) string {
	switch {
	case c.Session != nil:
		return fmt.Sprintf("visits of %.3g requests on average, starting with %s", c.Session.Length,
			mixText(c.Session.Start))
	case c.Zipf != nil:
		return strings.Join(c.Zipf.Routes, ", ") + ", the first most often"
	}
	return mixText(c.Mix)
}

// mixText lists the routes of a mix with their weights, the heaviest first.
func mixText(mix map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(mix), func(a, b string) int {
		return cmp.Or(cmp.Compare(mix[b], mix[a]), strings.Compare(a, b))
	})
	total := 0.0
	for _, weight := range mix {
		total += weight
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %.3g %%", name, 100*mix[name]/total)
	}
	return strings.Join(names, ", ")
}

func showObjectives(w markdownWriter, s *scenario.Scenario) {
	w.heading("Objectives")
	for _, o := range s.Objectives {
		route := o.Route
		if route == "" {
			route = "all other routes"
		}
		fmt.Fprintf(w, "%s\t%g %% good", route, o.Success)
		if o.Latency > 0 {
			fmt.Fprintf(w, "\twithin %v", format.Setting(o.Latency))
		}
		fmt.Fprintln(w)
	}
}

func showRubric(w markdownWriter, s *scenario.Scenario) {
	w.heading("Points")
	for _, i := range s.Rubric.Items {
		title := i.Title
		if title == "" {
			title = i.ID
		}
		fmt.Fprintf(w, "%s\t%s\n", format.Plural(i.Points, "point"), title)
	}
	if len(s.Rubric.Preconditions) > 0 {
		fmt.Fprintf(w, "Before canary traffic: %s\n", strings.Join(s.Rubric.Preconditions, ", "))
	}
}
