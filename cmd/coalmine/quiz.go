package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/input"
	"coalmine/lab/quiz"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// quizFlags are the options of quiz.
type quizFlags struct {
	answers, format string
	seed            uint64
	least           int
	asJSON          bool
}

// maxAnswers is the size of the largest file of answers.
const maxAnswers = 64 << 10

func newQuizCommand(env *Env) *cobra.Command {
	var f quizFlags
	cmd := &cobra.Command{
		Use:   "quiz SCENARIO",
		Short: "Print a scenario's quiz, grade answers, or export it",
		Long: "Print the questions of a scenario's quiz, with options in an order that the seed decides. --answers " +
			"grades a file with a line for each question, such as \"2: B\" or the text of an option; the letters are " +
			"those of the same seed. --format exports the quiz: md with the key at the end, gift for Moodle, " +
			"text2qti for Canvas.\n\n" +
			"Exit codes: 0 the answers are right, or as many as --least asks for; 3 they are not; 2 the file " +
			"cannot be read.",
		Example: `coalmine quiz full-rollout --seed 7
coalmine quiz full-rollout --seed 7 --answers answers.txt --least 4
coalmine quiz full-rollout --format gift > full-rollout.gift`,
		Args: exactly("SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.answers != "" && cmd.Flags().Changed("format") {
				return usage(cmd, fmt.Errorf("--answers grades and --format exports: write one of them"))
			}
			if !cmd.Flags().Changed("least") {
				f.least = -1
			}
			return env.quiz(args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.answers, "answers", "", "grade the answers in `FILE`")
	flags.IntVar(&f.least, "least", 0, "ask for `N` right answers (default all)")
	flags.Uint64Var(&f.seed, "seed", 1, "order the options by seed `N`")
	flags.StringVarP(&f.format, "format", "f", quiz.FormatText, "`FORMAT`: "+strings.Join(quiz.Formats(), ", "))
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (env *Env) quiz(name string, f quizFlags) error {
	src, err := env.openScenario(name)
	if err != nil {
		return err
	}
	defer src.Close()
	q, err := src.Quiz()
	if err != nil {
		return inputError(err, "name a scenario that has a quiz.yaml")
	}
	q = quiz.Shuffle(q, f.seed)
	switch {
	case f.answers != "":
		return env.gradeQuiz(q, f)
	case f.asJSON:
		return writeJSON(env.Out, q)
	}
	return quiz.Export(env.Out, f.format, src.Scenario.Title, q)
}

func (env *Env) gradeQuiz(q *scenario.Quiz, f quizFlags) error {
	info, err := os.Stat(env.path(f.answers))
	if err == nil && (info.Size() > maxAnswers || !info.Mode().IsRegular()) {
		err = fmt.Errorf("%s is not a file of at most %d KiB", f.answers, maxAnswers>>10)
	}
	if err != nil {
		return input.New("write a line for each question, such as 2: B", "read the answers: %w", err)
	}
	data, err := os.ReadFile(env.path(f.answers))
	if err != nil {
		return input.New("write a line for each question, such as 2: B", "read the answers: %w", err)
	}
	answers, err := quiz.ParseAnswers(f.answers, string(data), q)
	if err != nil {
		return err
	}
	r := quiz.Grade(q, answers)
	if f.asJSON {
		err = writeJSON(env.Out, r)
	} else {
		err = quiz.Text(env.Out, r)
	}
	least := f.least
	if least < 0 {
		least = r.Of
	}
	if err == nil && r.Right < least {
		err = exitWith(score.ExitMissed)
	}
	return err
}
