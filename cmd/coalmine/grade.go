package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/input"
	"coalmine/lab/run/folder"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/export"
	"coalmine/lab/teaching/grade/overview"
	"coalmine/lab/teaching/grade/submission"
	"coalmine/lab/verdict/score"
)

// gradeFlags are the options of grade.
type gradeFlags struct {
	scenarios       []string
	seedFile        string
	output          string
	seeds, practice int
	date            string
	one             bool
	workers         int
	cpu             int
	timeout         time.Duration
	realTime        bool
	gradebookFlags
	remoteFlags
}

func newGradeCommand(env *Env) *cobra.Command {
	var f gradeFlags
	cmd := &cobra.Command{
		Use:   "grade SUBMISSIONS... --scenarios S[,S] --seed-file FILE --output DIR",
		Short: "Grade the submissions of a class with secret seeds",
		Long: "Grade the submissions of a class. SUBMISSIONS is a folder with a folder, a zip or tar.gz archive, " +
			"or a manifest for each learner, an archive, or REPOSITORY#REFS for refs of a git repository, such as " +
			"class.git#submissions/*.\n\n" +
			"Seeds, and the parameters that they draw, follow from the seed file, which only the instructor has. " +
			"Scenarios are the library's or the instructor's folders, never those of a submission. Of a run " +
			"folder that was handed in only the guardrails count; they are played again.\n\n" +
			"A submission that cannot be read, takes too much, or makes the lab fail has no grade, and a reason. " +
			"Manifests that are not valid have 0 points. A grading that was stopped goes on where it was when the " +
			"same command is given again.\n\n" +
			"With --on kubernetes, pods of an Indexed Job play the submissions; --volume names the claim of the " +
			"volume that they share.\n\n" +
			"Exit codes: 0 all submissions are graded, 1 the lab failed, 2 invalid input or usage, 5 some " +
			"submissions are not graded, or interrupted.",
		Example: `head -c 32 /dev/urandom | base64 > seeds
coalmine grade handed-in -s full-rollout --seed-file seeds -o grades
coalmine grade 'class.git#submissions/*' -s full-rollout,tail-latency --seed-file seeds -o grades
coalmine grade handed-in -s full-rollout --seed-file seeds -o grades --on kubernetes --volume grading --pods 20
coalmine grade ann.zip --one -s ./exam --seed-file seeds -o grades`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, errors.New("SUBMISSIONS is missing"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return env.grade(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.scenarios, "scenarios", "s", nil, "`SCENARIOS` by name or path, separated by commas "+
		"(required)")
	flags.StringVar(&f.seedFile, "seed-file", "", "`FILE` that the seeds follow from; keep it secret (required)")
	flags.StringVarP(&f.output, "output", "o", "", "write the grades to `DIR` (required)")
	flags.IntVar(&f.seeds, "seeds", 3, "play `N` secret seeds of each scenario")
	flags.IntVar(&f.practice, "practice", 0, "play the public seeds 1 to `N`, too; they do not count")
	flags.StringVar(&f.date, "date", "", "judge as of `DATE`, such as the due date 2026-12-01 (default today)")
	flags.BoolVar(&f.one, "one", false, "each of SUBMISSIONS is one submission")
	flags.IntVar(&f.workers, "workers", env.Workers, "grade `N` submissions at the same time")
	flags.IntVar(&f.cpu, "cpu-limit", 60, "end a submission after `N` seconds of CPU time in one scenario")
	flags.DurationVar(&f.timeout, "time-limit", 5*time.Minute, "end a submission after this `TIME` in one scenario")
	flags.BoolVar(&f.realTime, "real-time", false, "record how long playing took; the files are then not the "+
		"same twice")
	f.gradebookFlags.add(flags)
	f.remoteFlags.add(flags)
	cmd.AddCommand(newGradeBundleCommand(env), newGradeImageCommand(env))
	return cmd
}

func (f gradeFlags) check() error {
	switch {
	case len(f.scenarios) == 0:
		return errors.New("--scenarios is missing: write the names of those to grade")
	case f.seedFile == "":
		return errors.New("--seed-file is missing: write the file that the secret seeds follow from")
	case f.output == "":
		return errors.New("--output is missing: write the folder for the grades")
	case f.workers < 1:
		return fmt.Errorf("--workers is %d: write 1 or more", f.workers)
	case f.cpu < 1:
		return fmt.Errorf("--cpu-limit is %d: write 1 or more", f.cpu)
	case f.timeout <= 0:
		return fmt.Errorf("--time-limit is %v: write a duration such as 5m", f.timeout)
	}
	if _, err := f.judgedOn(time.Now()); err != nil {
		return err
	}
	return errors.Join(f.gradebookFlags.check(), f.remoteFlags.check())
}

// judgedOn is the date by which submissions are judged.
func (f gradeFlags) judgedOn(now time.Time) (time.Time, error) {
	if f.date == "" {
		return now.UTC().Truncate(24 * time.Hour), nil
	}
	date, err := time.Parse(time.DateOnly, f.date)
	if err != nil {
		return date, fmt.Errorf("--date is %q: write a date such as 2026-12-01", f.date)
	}
	return date, nil
}

func (env *Env) grade(ctx context.Context, args []string, f gradeFlags) error {
	o, err := env.gradeOptions(ctx, args, f)
	if err != nil {
		return err
	}
	if _, err := env.filledGradebooks(ctx, nil, f.gradebookFlags); err != nil {
		return err // before anything is played
	}
	if o.Remote, err = env.gradeRemote(ctx, f.remoteFlags); err != nil {
		return err
	}
	progress := newGradeProgress(env)
	o.Progress = progress.show
	g, err := grade.Grade(ctx, o)
	progress.close()
	if err != nil {
		return err
	}
	if err := writeGrades(o.Out, g); err != nil {
		return err
	}
	if err := env.fillGradebooks(ctx, g, o.Out, f.gradebookFlags); err != nil {
		return err
	}
	return env.printGrades(g, f.output)
}

// writeGrades writes the grades in all forms.
func writeGrades(dir string, g *grade.Grading) error {
	page, err := overview.Write(g)
	if err != nil {
		return err
	}
	return errors.Join(g.Write(dir), export.Write(dir, g), os.WriteFile(filepath.Join(dir, "index.html"), page, 0o644))
}

// Limits of the files of a grading.
const (
	maxSeedFile  = 1 << 20
	maxGradebook = 64 << 20
)

func (env *Env) gradeOptions(ctx context.Context, args []string, f gradeFlags) (grade.Options, error) {
	data, err := input.ReadFile(ctx, env.path(f.seedFile), maxSeedFile)
	if err != nil {
		return grade.Options{}, invalid("make one with: head -c 32 /dev/urandom | base64 > seeds", "%w", err)
	}
	key, err := grade.NewKey(data)
	if err != nil {
		return grade.Options{}, err
	}
	submissions, err := submission.List(ctx, env.Dir, args, f.one)
	if err != nil {
		return grade.Options{}, err
	}
	date, err := f.judgedOn(env.Now())
	if err != nil {
		return grade.Options{}, err
	}
	path, err := programPath()
	if err != nil {
		return grade.Options{}, err
	}
	return grade.Options{
		Submissions: submissions, Scenarios: env.found(f.scenarios), Base: env.Dir, Key: key,
		Seeds: f.seeds, Practice: f.practice,
		Date: date, Versions: env.Cluster.Describe().Versions,
		Binary: folder.Binary{Version: env.Version, Digest: env.BinaryDigest()},
		Out:    env.path(f.output), Workers: f.workers, Player: env.Player,
		Worker:     grade.Program{Path: path, Args: []string{"coalmine", gradeWorkerVerb}},
		CPUSeconds: f.cpu, Timeout: f.timeout, RealTime: f.realTime,
	}, nil
}

// printGrades says how many have a grade, and who has none.
func (env *Env) printGrades(g *grade.Grading, dir string) error {
	const shown = 20
	n := g.NotGraded()
	fmt.Fprintf(env.Out, "%s, %d graded, %d not graded\n", format.Plural(len(g.Learners), "submission"),
		len(g.Learners)-n, n)
	listed := 0
	for _, l := range g.Learners {
		if l.Status == grade.Graded {
			continue
		}
		if listed++; listed <= shown {
			fmt.Fprintf(env.Out, "  %s: %s\n", l.Learner, l.Reason())
		}
	}
	if listed > shown {
		fmt.Fprintf(env.Out, "  and %d more\n", listed-shown)
	}
	fmt.Fprintf(env.Err, "Written to %s\n", dir)
	if n > 0 {
		return exitWith(score.ExitInconclusive)
	}
	return nil
}

// gradeProgress shows on stderr how far a grading is: a bar on a terminal, else a line for each tenth.
type gradeProgress struct {
	env   *Env
	drawn time.Time
	tenth int
}

func newGradeProgress(env *Env) *gradeProgress { return &gradeProgress{env: env} }

// show draws the progress. It is called by one goroutine at a time.
func (p *gradeProgress) show(now grade.Progress) {
	done, total := now.Shared+now.Remote+now.Done, now.SharedTotal+now.RemoteTotal+now.Total
	if !p.env.ErrTerminal {
		if tenth := 10 * done / max(total, 1); tenth > p.tenth {
			p.tenth = tenth
			fmt.Fprintln(p.env.Err, progressText(now))
		}
		return
	}
	if at := p.env.Now(); at.Sub(p.drawn) >= redrawEvery || done == total {
		p.drawn = at
		const width = 24
		fmt.Fprint(p.env.Err, "\r\x1b[K"+clip(bar(done, total, width)+" "+progressText(now), p.env.Width))
	}
}

func progressText(p grade.Progress) string {
	if p.Shared < p.SharedTotal {
		return fmt.Sprintf("%d of %d runs to compare with", p.Shared, p.SharedTotal)
	}
	if p.Remote < p.RemoteTotal {
		return fmt.Sprintf("%d of %d played in the cluster", p.Remote, p.RemoteTotal)
	}
	text := fmt.Sprintf("%d of %d graded", p.Done-p.NotGraded, p.Total)
	if p.NotGraded > 0 {
		text += fmt.Sprintf(", %d not graded", p.NotGraded)
	}
	return text
}

// bar is a share as a bar of some columns.
func bar(done, total, width int) string {
	full := width * done / cmp.Or(total, 1)
	text := []rune{}
	for i := range width {
		if i < full {
			text = append(text, '█')
		} else {
			text = append(text, '░')
		}
	}
	return string(text)
}

// close clears the bar.
func (p *gradeProgress) close() {
	if p.env.ErrTerminal {
		fmt.Fprint(p.env.Err, "\r\x1b[K")
	}
}

// gradeWorkerVerb is how the program calls itself to grade one submission; see package grade.
const gradeWorkerVerb = "grade-worker"

func newGradeWorkerCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:    gradeWorkerVerb,
		Short:  "Grade the submission that standard input asks for (the program calls this itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			os.Stdout = os.Stderr // see newWorkerCommand
			return grade.Serve(cmd.Context(), env.In, env.raw(), env.Cluster)
		},
	}
}
