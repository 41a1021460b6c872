package main

import (
	"fmt"
	"io"
	"strings"

	"coalmine/lab/report/model"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
	"coalmine/tui/liverun"
)

// runQuiz are the answers that were given with a run.
type runQuiz struct {
	file    string
	quiz    *scenario.Quiz
	answers []string
}

// readRunQuiz reads the answers that run takes, nil without. Gates before the rollout have to have one.
func (env *Env) readRunQuiz(src *trial.Source, file string) (*runQuiz, error) {
	if file == "" {
		return nil, nil
	}
	q, err := src.Quiz()
	if err != nil {
		return nil, inputError(err, "leave --answers out, or name a scenario that has a quiz.yaml")
	}
	r := &runQuiz{file: file, quiz: quiz.Shuffle(q, defaultQuizSeed)}
	all := quiz.Resolve(r.quiz, nil)
	if r.answers, err = env.readAnswers(file, all); err != nil {
		return nil, err
	}
	for _, a := range quiz.Grade(quiz.At(all, scenario.CheckpointPredict), r.answers).Questions {
		if a.Held {
			return nil, invalid("add a line such as "+fmt.Sprintf("\"%d: ANSWER\"", a.Number),
				"%s: question %d has to be answered before the rollout: %s", file, a.Number,
				strings.Join(strings.Fields(all[a.Number-1].Question.Question), " "))
		}
	}
	return r, nil
}

// parts splits the questions into those that are graded with the run, and those about the verdict that
// have no answer yet. Other questions are asked when the learner wants to.
func (r *runQuiz) parts(t *model.Trial) (graded, waiting []quiz.Asked) {
	for _, a := range quiz.Resolve(r.quiz, quiz.Facts(t.Scenario, t.Runs, &t.Card)) {
		switch {
		case a.At == scenario.CheckpointPredict, r.answers[a.Number-1] != "":
			graded = append(graded, a)
		case a.At == scenario.CheckpointVerdict && a.Open == "":
			waiting = append(waiting, a)
		}
	}
	return graded, waiting
}

// gradeRun prints the timeline of the learner's run and what the answers were worth. It reports whether
// questions about the verdict wait for an answer: the card would give it.
func (env *Env) gradeRun(w io.Writer, r *runQuiz, t *model.Trial, src *trial.Source, dir string,
	timeline bool) (waits bool, err error) {
	graded, waiting := r.parts(t)
	if timeline {
		live, err := openLiveTrial(dir)
		if err != nil {
			return false, err
		}
		first := live.Runs[live.DefaultRun()]
		if err := env.printRuns(w, live, func(r *liverun.Run) bool { return r == first }); err != nil {
			return false, err
		}
	}
	result := quiz.Grade(graded, r.answers)
	if result.Of > 0 && !byPath(src) {
		env.updateProgress(src.Scenario.Name, withQuiz(result.Right, result.Of))
	}
	if err := quiz.Text(w, result); err != nil || len(waiting) == 0 {
		return false, err
	}
	fmt.Fprintf(w, "\nBefore the card:\n\n")
	if err := quiz.Export(w, quiz.FormatText, src.Scenario.Title, waiting); err != nil {
		return false, err
	}
	fmt.Fprintf(w, "Add the answers to %s. What they are worth: coalmine quiz %s --run %s --answers %s\n"+
		"Then the card: coalmine report %s\n", r.file, src.Scenario.Name, quoted(dir), quoted(r.file), quoted(dir))
	return true, nil
}
