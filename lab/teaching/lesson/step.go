package lesson

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/input"
	"coalmine/lab/scenario/quizexpr"
	"coalmine/lab/teaching/quiz"
)

// step leads through one step.
func (s *Session) step(ctx context.Context, step *Step) error {
	if err := s.introduce(s.State.Step); err != nil {
		return err
	}
	if err := s.predict(step); err != nil {
		return err
	}
	for {
		err := s.attempt(ctx, step)
		var unmet *unmetError
		if !errors.As(err, &unmet) {
			return err
		}
		if step.Task == nil {
			s.UI.Show(unmet.text)
			return ErrTask
		}
		run, err := s.folder(step.Play[0].Name)
		if err != nil {
			return err
		}
		s.UI.Show(fmt.Sprintf("%s\n\n`coalmine report %s` shows what was measured and when.", unmet.text, run))
		if err := s.work(step); err != nil {
			return err
		}
	}
}

// introduce shows the title and the text of a step.
func (s *Session) introduce(i int) error {
	step := &s.Lesson.Steps[i]
	body, err := fill(step.Text, s.value)
	if err != nil {
		return err
	}
	s.UI.Show(fmt.Sprintf("## %s %d of %d: %s\n\n%s", s.Lesson.Name, i+1, len(s.Lesson.Steps), step.Title, body))
	return nil
}

// work waits until the learner has worked on the step's task.
func (s *Session) work(step *Step) error {
	err := s.lookBack(s.State.Step, func() error { return s.UI.Work(*step.Task) })
	if err != nil {
		return errors.Join(ErrTask, err)
	}
	return nil
}

// unmetError says which checks of a step do not hold.
type unmetError struct{ text string }

func (e *unmetError) Error() string { return e.text }

// attempt does what comes after the predictions. A step with a task may take several.
func (s *Session) attempt(ctx context.Context, step *Step) error {
	if err := s.start(step); err != nil {
		return err
	}
	if err := s.play(ctx, step); err != nil {
		return err
	}
	if err := s.compare(step); err != nil {
		return err
	}
	if err := s.ask(step); err != nil {
		return err
	}
	if err := s.check(step); err != nil {
		return err
	}
	return s.evidence(step)
}

// predict asks for the predictions that the learner has not made yet.
func (s *Session) predict(step *Step) error {
	for i := range step.Predict {
		q := &step.Predict[i]
		if s.given(step, q) {
			continue
		}
		if err := s.answer(step, q, "Predict: "); err != nil {
			return err
		}
	}
	return nil
}

// answer asks until the answer can be read, and keeps it.
func (s *Session) answer(step *Step, q *Question, before string) error {
	name := step.Name + "." + q.Name
	if err := s.showQuestion(q, before); err != nil {
		return err
	}
	asked := quiz.Asked{Question: q.Question}
	for {
		given, hidden := "", false
		err := s.lookBack(s.State.Step, func() (err error) {
			if hidden { // by what was read again
				err = s.showQuestion(q, before)
			}
			if err == nil {
				given, err = s.UI.Ask(name, asked.Prompt())
			}
			hidden = true
			return err
		})
		if err != nil {
			return err
		}
		kept, err := asked.Read(given)
		switch {
		case err == nil:
			s.State.Given[name] = kept
			return s.State.write(s.dir(s.Lesson.Name))
		case strings.TrimSpace(given) == "":
			s.UI.Show(fmt.Sprintf("This question needs an answer: %v.", err))
		default:
			s.UI.Show(fmt.Sprintf("%q is no answer: %v.", format.Clean(given), err))
		}
	}
}

// start makes the workspace of the step's task.
func (s *Session) start(step *Step) error {
	if step.Task == nil {
		return nil
	}
	made, err := s.Player.Start(*step.Task)
	if err != nil || !made {
		return err
	}
	s.UI.Show(fmt.Sprintf("The folder `%s` is yours now, with manifests to start from and the task in TASK.md. Edit "+
		"them here or in another window. `coalmine lint %s --scenario %s` finds what is valid and still wrong.",
		step.Task.Dir, step.Task.Dir, step.Task.Scenario))
	return s.work(step)
}

// play plays what has not been played yet. The learner's own manifests are played each time.
func (s *Session) play(ctx context.Context, step *Step) error {
	for _, p := range step.Play {
		if _, err := s.recording(p.Name); err == nil && p.Guardrails != "" {
			continue
		}
		s.UI.Show("Playing: " + p.Title + " …")
		dir, err := s.free(p.Name)
		if err != nil {
			return err
		}
		files, _ := s.Course.Guardrails(s.Lesson.Name, p.Guardrails)
		task := ""
		if step.Task != nil {
			task = step.Task.Dir
		}
		if err := s.Player.Play(ctx, p, files, task, dir); err != nil {
			return err
		}
		delete(s.read, p.Name)
		if s.State.Plays[p.Name], err = filepath.Rel(s.dir(s.Lesson.Name), dir); err != nil {
			return err
		}
		if err := s.State.write(s.dir(s.Lesson.Name)); err != nil {
			return err
		}
	}
	return nil
}

// free names a run folder that does not exist yet.
func (s *Session) free(play string) (string, error) {
	for i := 1; i < 1000; i++ {
		dir := filepath.Join(s.dir(s.Lesson.Name), "runs", fmt.Sprintf("%s-%d", play, i))
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, os.MkdirAll(filepath.Dir(dir), 0o755)
		}
	}
	return "", input.New("remove some of them", "%s is full of run folders", s.dir(s.Lesson.Name))
}

// compare shows figures of the runs, and the predictions beside them.
func (s *Session) compare(step *Step) error {
	var b strings.Builder
	if len(step.Show) > 0 {
		b.WriteString("| What the run says | |\n|---|---|\n")
	}
	for _, f := range step.Show {
		v, err := s.value(f.Figure)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, strings.ReplaceAll(v.String(), "|", "\\|"))
	}
	for i := range step.Predict {
		a := s.judge(step, &step.Predict[i], true)
		b.WriteString("\n" + a.text() + "\n")
	}
	after, err := fill(step.After, s.value)
	if err != nil {
		return err
	}
	if after != "" {
		b.WriteString("\n" + after)
	}
	if b.Len() > 0 {
		s.UI.Show(b.String())
	}
	return nil
}

// judge compares an answer with the run that the question is about.
func (s *Session) judge(step *Step, q *Question, predicted bool) Answered {
	a := Answered{Step: step.Name, Question: q.Name, Given: s.State.Given[step.Name+"."+q.Name],
		Predicted: predicted, unit: q.Unit}
	facts, err := s.facts(q.Play)
	if err == nil {
		a.Ask, err = fill(q.Question.Question, s.value)
	}
	if err == nil {
		a.Why, err = fill(q.Why, s.value)
	}
	if err != nil {
		a.Open = err.Error()
		return a
	}
	asked := quiz.ResolveOne(q.Question, 1, facts)
	a.Ask, a.Why = strings.TrimSpace(a.Ask), strings.TrimSpace(a.Why)
	if a.Open = asked.Open; a.Open == "" {
		a.Came, a.Right = asked.ExpectedText(), asked.Check(a.Given)
		if q.Unit == "s" && asked.Value >= longSeconds {
			a.Came += " (" + format.Duration(event.Seconds(asked.Value*float64(time.Second))) + ")"
		}
	}
	return a
}

// longSeconds is from where on seconds are given in minutes as well, as tables have them.
const longSeconds = 120

// facts are what expressions can ask of a play, nil for none.
func (s *Session) facts(play string) (*quizexpr.Facts, error) {
	if play == "" {
		return nil, nil
	}
	rec, err := s.recording(play)
	if err != nil {
		return nil, err
	}
	t, err := rec.Trial()
	if err != nil {
		return nil, err
	}
	return quiz.PlayFacts(rec.Scenario, t.Runs, &t.Card), nil
}

// answers judges all answers that were given.
func (s *Session) answers() []Answered {
	var all []Answered
	for i := range s.Lesson.Steps {
		step := &s.Lesson.Steps[i]
		for _, list := range []struct {
			questions []Question
			predicted bool
		}{{step.Predict, true}, {step.Ask, false}} {
			for j := range list.questions {
				q := &list.questions[j]
				if s.given(step, q) {
					all = append(all, s.judge(step, q, list.predicted))
				}
			}
		}
	}
	return all
}

// ask asks the step's questions.
func (s *Session) ask(step *Step) error {
	for i := range step.Ask {
		q := &step.Ask[i]
		if s.given(step, q) {
			continue
		}
		if err := s.answer(step, q, ""); err != nil {
			return err
		}
		a := s.judge(step, q, false)
		s.UI.Show(a.text())
	}
	return nil
}

// check checks the step's conditions.
func (s *Session) check(step *Step) error {
	var unmet []string
	for _, k := range step.Check {
		v, err := s.value(k.Figure)
		if err != nil {
			return err
		}
		if !k.holds(v) {
			otherwise, err := fill(k.Else, s.value)
			if err != nil {
				return err
			}
			unmet = append(unmet, "✗ "+strings.TrimSpace(otherwise))
		}
	}
	if len(unmet) > 0 {
		return &unmetError{strings.Join(unmet, "\n\n")}
	}
	return nil
}

func (k *Check) holds(v Value) bool {
	switch {
	case k.Is != "":
		return v.String() == k.Is
	case v.Kind == kindText:
		return false
	}
	return (k.Min == nil || v.Number >= *k.Min) && (k.Max == nil || v.Number <= *k.Max)
}

// evidence writes the step's go/no-go package.
func (s *Session) evidence(step *Step) error {
	if step.Evidence == "" {
		return nil
	}
	run, err := s.folder(step.Evidence)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir(s.Lesson.Name), "package")
	files, err := s.Player.Evidence(run, dir)
	if err != nil {
		return err
	}
	record := filepath.Join(dir, fileRecord)
	text, err := s.Course.Record(s.root)
	if err == nil {
		err = os.WriteFile(record, []byte(text), 0o644)
	}
	if err != nil {
		return err
	}
	decision, err := os.ReadFile(filepath.Join(dir, fileDecision))
	if err != nil {
		return err
	}
	s.UI.Show(forReading(string(decision)))
	s.UI.Show(fmt.Sprintf("Wrote `%s` in `%s`. The text above is `%s`, without its list of files.",
		strings.Join(append(files, fileRecord), "`, `"), dir, fileDecision))
	return nil
}

// fileDecision is the decision of a go/no-go package, as Markdown.
const fileDecision = "decision.md"

// forReading is a decision without the digests at its end, one level below the lesson's headings.
func forReading(decision string) string {
	text, _, _ := strings.Cut(decision, "\n## What it rests on")
	return regexp.MustCompile(`(?m)^#`).ReplaceAllString(text, "##")
}
