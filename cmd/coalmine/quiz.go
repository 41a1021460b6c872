package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/input"
	"coalmine/lab/run/result"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/quizexpr"
	"coalmine/lab/teaching/quiz"
	"coalmine/lab/verdict/score"
)

// quizFlags are the options of quiz.
type quizFlags struct {
	answers, format, run, at, from, output string
	seed                                   uint64
	least                                  int
	// shuffle is set if a seed was given: files keep their order without one.
	shuffle, asJSON bool
}

// defaultQuizSeed orders the options if no seed is given.
const defaultQuizSeed = 1

// maxAnswers is the size of the largest file of answers.
const maxAnswers = 64 << 10

// standardInput names standard input in place of a file.
const standardInput = "-"

func newQuizCommand(env *Env) *cobra.Command {
	var f quizFlags
	cmd := &cobra.Command{
		Use:   "quiz SCENARIO|FILE",
		Short: "Print a scenario's quiz, grade answers, or convert a quiz",
		Long: "Print the questions of a scenario's quiz, with options in an order that the seed decides. --answers " +
			"grades a file with a line for each question, such as \"2: B\", \"3: 25 %\" or the text of an option; " +
			"the letters are those of the same seed. --run answers the questions that are about your own run.\n\n" +
			"--format exports the quiz: md with the key at the end, gift for Moodle, qti or text2qti for Canvas, " +
			"yaml for a scenario. In place of a scenario, name a file to read: .md in the layout of the course, " +
			".gift, or a quiz.yaml.\n\n" +
			"Questions may be bound to a moment: --at predict are those before the rollout. Their answers are graded " +
			"once there is a run; until then it is enough that the gates among them have one.\n\n" +
			"Exit codes: 0 the answers are right, or as many as --least asks for; 3 they are not, or a gate has no " +
			"answer; 2 a file cannot be read.",
		Example: `coalmine quiz full-rollout --seed 7
coalmine quiz full-rollout --run runs/full-rollout-1 --answers answers.txt --least 4
grep -v '^#' answers.txt | coalmine quiz full-rollout --answers -
coalmine quiz full-rollout --format gift > full-rollout.gift
coalmine quiz course.md --format qti -o course.zip`,
		Args: exactly("SCENARIO or FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return usage(cmd, err)
			}
			return env.quiz(args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.answers, "answers", "", "grade the answers in `FILE`, - for standard input")
	flags.StringVar(&f.run, "run", "", "answer questions about your own run from `RUNDIR`")
	flags.StringVar(&f.at, "at", "", "only the questions of a `CHECKPOINT`: predict, failed-check, verdict")
	flags.IntVar(&f.least, "least", 0, "ask for `N` right answers (default all)")
	flags.Uint64Var(&f.seed, "seed", defaultQuizSeed, "order the options by seed `N`; a file keeps its order without "+
		"one")
	flags.StringVarP(&f.format, "format", "f", quiz.FormatText, "`FORMAT`: "+strings.Join(quiz.Formats(), ", "))
	flags.StringVar(&f.from, "from", "", "read the file as `FORMAT`: "+strings.Join(quiz.Imports(), ", ")+
		" (default by its name)")
	flags.StringVarP(&f.output, "output", "o", "", "write to `FILE`, over an earlier one, instead of printing")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (f *quizFlags) check(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("least") {
		f.least = -1
	}
	f.shuffle = cmd.Flags().Changed("seed")
	switch {
	case f.answers != "" && cmd.Flags().Changed("format"):
		return fmt.Errorf("--answers grades and --format exports: write one of them")
	case f.format == quiz.FormatQTI && f.output == "":
		return fmt.Errorf("--format qti writes a zip archive: name its file with --output")
	case f.at != "" && !slices.Contains(scenario.Checkpoints(), scenario.Checkpoint(f.at)):
		return fmt.Errorf("there is no checkpoint %q: write predict, failed-check or verdict", f.at)
	}
	return nil
}

func (env *Env) quiz(name string, f quizFlags) error {
	title, q, err := env.readQuiz(name, f.from)
	if err != nil {
		return err
	}
	facts, err := env.quizFacts(f.run, name, isQuizFile(name, f.from))
	if err != nil {
		return err
	}
	if f.shuffle || !isQuizFile(name, f.from) {
		q = quiz.Shuffle(q, f.seed)
	}
	all := quiz.Resolve(q, facts)
	var answers []string
	if f.answers != "" {
		if answers, err = env.readAnswers(f.answers, all); err != nil {
			return err
		}
	}
	if f.at != "" {
		all = quiz.At(all, scenario.Checkpoint(f.at))
	}
	if f.answers != "" {
		return env.gradeQuiz(quiz.Grade(all, answers), f)
	}
	var b bytes.Buffer
	if f.asJSON {
		err = writeJSON(&b, quiz.FileOf(all))
	} else {
		err = quiz.Export(&b, f.format, title, all)
	}
	if err != nil {
		return err
	}
	return env.writeQuiz(b.Bytes(), f.output)
}

func (env *Env) writeQuiz(data []byte, output string) error {
	if output == "" {
		_, err := env.Out.Write(data)
		return err
	}
	if err := replaceFile(env.path(output), data); err != nil {
		return invalid("name a file that can be written with -o", "write the quiz: %w", err)
	}
	fmt.Fprintf(env.Err, "Wrote %s\n", output)
	return nil
}

// isQuizFile reports whether a name is that of a file with a quiz, and not of a scenario.
func isQuizFile(name, from string) bool { return from != "" || quiz.FormatOf(name) != "" }

// readQuiz reads the quiz of a scenario, or a file.
func (env *Env) readQuiz(name, from string) (title string, q *scenario.Quiz, err error) {
	if isQuizFile(name, from) {
		return env.importQuiz(name, from)
	}
	src, err := env.openScenario(name)
	if err != nil {
		return "", nil, err
	}
	defer src.Close()
	q, err = src.Quiz()
	if err != nil {
		return "", nil, inputError(err, "name a scenario that has a quiz.yaml")
	}
	return src.Scenario.Title, q, nil
}

func (env *Env) importQuiz(name, from string) (title string, q *scenario.Quiz, err error) {
	if from == "" {
		from = quiz.FormatOf(name)
	}
	data, err := env.readSmall(name, quiz.MaxImport, "name a file with a quiz")
	if err != nil {
		return "", nil, err
	}
	q, notes, err := quiz.Import(name, from, data)
	for _, n := range notes {
		fmt.Fprintln(env.Err, n)
	}
	return quiz.TitleOf(name, from, data), q, err
}

// quizFacts reads what a run folder of the scenario says; without a folder there are no facts.
func (env *Env) quizFacts(dir, name string, isFile bool) (*quizexpr.Facts, error) {
	if dir == "" {
		return nil, nil
	}
	if err := env.limitReader(false); err != nil {
		return nil, err
	}
	r, err := result.Read(env.path(dir))
	if err != nil {
		return nil, err
	}
	if !isFile {
		src, err := env.openScenario(name)
		if err != nil {
			return nil, err
		}
		defer src.Close()
		if src.Scenario.Name != r.Scenario.Name {
			return nil, invalid("name a run folder of "+src.Scenario.Name, "%s is of the scenario %s", dir,
				r.Scenario.Name)
		}
	}
	t, err := r.Trial()
	if err != nil {
		return nil, err
	}
	return quiz.Facts(r.Scenario, t.Runs, &t.Card), nil
}

// readSmall reads a regular file of at most limit bytes.
func (env *Env) readSmall(name string, limit int64, hint string) ([]byte, error) {
	info, err := os.Stat(env.path(name))
	if err == nil && (info.Size() > limit || !info.Mode().IsRegular()) {
		err = fmt.Errorf("%s is not a file of at most %d KiB", name, limit>>10)
	}
	if err != nil {
		return nil, input.New(hint, "%w", err)
	}
	file, err := os.Open(env.path(name))
	if err != nil {
		return nil, input.New(hint, "%w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return nil, input.New(hint, "%w", err)
	}
	return data, nil
}

// readAnswersFile reads a file of answers, or standard input if it is named -.
func (env *Env) readAnswersFile(name, hint string) ([]byte, error) {
	hint += "; --answers - reads standard input"
	if name != standardInput {
		return env.readSmall(name, maxAnswers, hint)
	}
	data, err := io.ReadAll(io.LimitReader(env.In, maxAnswers+1))
	if err == nil && len(data) > maxAnswers {
		err = fmt.Errorf("standard input has more than %d KiB", maxAnswers>>10)
	}
	if err != nil {
		return nil, input.New(hint, "read the answers: %w", err)
	}
	return data, nil
}

func (env *Env) readAnswers(name string, all []quiz.Asked) ([]string, error) {
	data, err := env.readAnswersFile(name, "write a line for each question, such as 2: B")
	if err != nil {
		return nil, err
	}
	return quiz.ParseAnswers(name, string(data), len(all))
}

func (env *Env) gradeQuiz(r quiz.Result, f quizFlags) error {
	var err error
	if f.asJSON {
		err = writeJSON(env.Out, r)
	} else {
		err = quiz.Text(env.Out, r)
	}
	least := f.least
	if least < 0 {
		least = r.Of
	}
	if err == nil && (r.Right < least || f.at != "" && r.Held > 0) {
		err = exitWith(score.ExitMissed)
	}
	return err
}
