package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"coalmine/lab/input"
	"coalmine/lab/teaching/lesson"
	"coalmine/lab/teaching/progress"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios/lessons"
)

// learnFlags are the options of learn.
type learnFlags struct {
	answers    string
	given      []string
	again      bool
	seed       uint64
	checkSeeds int
	// said are the answers of both by STEP.QUESTION.
	said map[string]string
}

// dirLearn is the folder in which lessons keep what was answered and played.
const dirLearn = "learn"

func newLearnCommand(env *Env) *cobra.Command {
	var f learnFlags
	cmd := &cobra.Command{
		Use:   "learn [LESSON]",
		Short: "Lead through the course, from an incident to the evidence for a decision",
		Long: "List the lessons of the course, or lead through one of them step by step: predict, play, compare " +
			"the prediction with the run, answer from your own runs. What you said and played is kept in ./learn, " +
			"so that a lesson goes on where it was left; your manifests are folders beside it.\n\n" +
			"Answers are read from the terminal, or from a pipe, a line each. --answers reads them from a YAML file, " +
			"such as \"now.harm: 9000\", where now is the step and harm the question.\n\n" +
			"Exit codes: 0 the lesson is complete, 3 it is not yet, 2 invalid input or usage.",
		Example: `coalmine learn
coalmine learn hook
coalmine learn hook --answers answers.yaml
echo 'now.harm: 9000' | coalmine learn hook --answers -
coalmine learn canary --again`,
		Args: between(0, "LESSON"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.checkSeeds < 0 || f.checkSeeds > maxTrials {
				return usage(cmd, fmt.Errorf("--check-seeds is %d: write 0 to %d", f.checkSeeds, maxTrials))
			}
			if len(args) == 0 {
				return env.listLessons(cmd.Context(), f)
			}
			var err error
			if f.said, err = env.learnAnswers(f); err != nil {
				return err
			}
			return env.learn(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.answers, "answers", "", "read answers from the YAML `FILE`, - for standard input")
	flags.StringArrayVar(&f.given, "answer", nil, "answer one question: `STEP.QUESTION=TEXT`")
	flags.BoolVar(&f.again, "again", false, "start the lesson over; earlier runs stay")
	flags.IntVar(&f.checkSeeds, "check-seeds", env.CheckSeeds, "confirm your own manifests by `N` seeds that nobody "+
		"chose; with fewer than 20 it is no graded pass")
	flags.Uint64Var(&f.seed, "seed", 1, "order the options of questions by seed `N`")
	return cmd
}

// learnAnswers reads the answers of the file and the flags.
func (env *Env) learnAnswers(f learnFlags) (map[string]string, error) {
	said := map[string]string{}
	if f.answers != "" {
		const hint = "write a line for each question, such as now.harm: 9000"
		data, err := env.readAnswersFile(f.answers, hint)
		if err != nil {
			return nil, err
		}
		if err := yaml.Unmarshal(data, &said); err != nil {
			return nil, input.New(hint, "read the answers: %w", err)
		}
	}
	for _, pair := range f.given {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, input.New("write it as in --answer now.harm=9000", "--answer %q is not STEP.QUESTION=TEXT",
				pair)
		}
		said[name] = text
	}
	return said, nil
}

// listLessons lists the lessons. On a terminal it leads on to the next one.
func (env *Env) listLessons(ctx context.Context, f learnFlags) error {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		return err
	}
	text, err := c.List(env.path(dirLearn))
	if err != nil {
		return err
	}
	env.markdownOut().laidOut().markdown(text)
	states, err := c.Progress(env.path(dirLearn))
	if err != nil {
		return err
	}
	next, ui := lesson.Next(states), newLessonUI(ctx, env, nil)
	if next == "" || !ui.waits {
		return nil
	}
	fmt.Fprintln(env.Out)
	if ui.pauseHere("the lesson "+next) != nil {
		return nil
	}
	return env.learn(ctx, next, f)
}

func (env *Env) learn(ctx context.Context, name string, f learnFlags) error {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		return err
	}
	s, err := lesson.Open(c, name, lesson.Options{Root: env.path(dirLearn), Again: f.again, Seed: f.seed})
	if err != nil {
		return err
	}
	ui := newLessonUI(ctx, env, f.said)
	s.UI = ui
	s.Player = &lessonPlayer{env: env, course: c, checkSeeds: f.checkSeeds}
	err = s.Run(ctx)
	env.recordLesson(s)
	if err == nil {
		if next, again := ui.over(s, c.After(name)); next != "" {
			f.again = again
			return env.learn(ctx, next, f)
		}
	}
	left := errors.Is(err, lesson.ErrStop)
	switch {
	case errors.Is(err, lesson.ErrTask):
		fmt.Fprintf(env.Err, "Change your manifests, then go on with: coalmine learn %s\n", name)
	case left:
		fmt.Fprintf(env.Err, "Step %d of %d is next: coalmine learn %s\n", s.State.Step+1, len(s.Lesson.Steps), name)
	case err != nil:
		return err
	}
	if left || err != nil || !s.State.Complete {
		return exitWith(score.ExitMissed)
	}
	return nil
}

// recordLesson records how far the learner is, so that the first screen can say so.
func (env *Env) recordLesson(s *lesson.Session) {
	predicted, of := s.Predictions()
	env.updateProgress("learn/"+s.Lesson.Name, func(e *progress.Entry) {
		e.Trials = len(s.State.Plays)
		e.Solved = e.Solved || s.State.Complete
		e.AddQuiz(predicted, max(1, of))
	})
}
