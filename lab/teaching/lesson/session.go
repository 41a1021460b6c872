package lesson

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/input"
	"coalmine/lab/run/result"
)

// UI shows texts and asks a learner.
type UI interface {
	// Show shows Markdown.
	Show(markdown string)
	// Ask returns the answer to the question STEP.QUESTION, [ErrStop] if the learner leaves, or
	// [ErrBack].
	Ask(name, prompt string) (string, error)
	// Pause waits until the learner wants to go on; [ErrStop] if the learner leaves, or [ErrBack].
	Pause(prompt string) error
	// Work waits until the learner has changed the files of a task; [ErrStop] if nobody is there to
	// change them, or [ErrBack].
	Work(t Task) error
}

// Player plays what a lesson is about.
type Player interface {
	// Play plays a trial into a new run folder; guardrails are files, or nil for the folder task.
	Play(ctx context.Context, p Play, guardrails map[string][]byte, task, dir string) error
	// Start makes the workspace of a task, and reports whether there was none.
	Start(t Task) (made bool, err error)
	// Evidence writes the go/no-go package of a run folder.
	Evidence(run, dir string) (files []string, err error)
}

var (
	// ErrStop is returned when the learner leaves a lesson before its end.
	ErrStop = errors.New("the lesson was left")
	// ErrBack is returned by a [UI] if the learner wants to read again what came before.
	ErrBack = errors.New("what came before is asked for")
	// ErrTask is returned when the next step is work on the learner's own manifests.
	ErrTask = errors.New("there is work to do")
)

// Session is one learner in one lesson.
type Session struct {
	Course *Course
	Lesson *Lesson
	State  *State
	UI     UI
	Player Player

	root string
	read map[string]*result.Recording
}

// Options say how a lesson is led.
type Options struct {
	// Root has a folder for each lesson.
	Root string
	// Again starts the lesson over.
	Again bool
	// Seed orders the options of questions.
	Seed uint64
}

// Open returns the session of a lesson.
func Open(c *Course, name string, o Options) (*Session, error) {
	if c.Lesson(name) == nil {
		return nil, input.New("write one of "+strings.Join(c.Names(), ", "), "there is no lesson %q", name)
	}
	if o.Again {
		file := filepath.Join(o.Root, name, fileState)
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	s, err := c.session(c.shuffled(name, o.Seed), o.Root)
	if err != nil {
		return nil, err
	}
	return s, s.checkNeeds()
}

// session returns what a learner did in a lesson, to go on with or to judge.
func (c *Course) session(l *Lesson, root string) (*Session, error) {
	s := &Session{Course: c, Lesson: l, root: root, read: map[string]*result.Recording{}}
	var err error
	if s.State, err = readState(s.dir(l.Name), l.Name); err != nil {
		return nil, err
	}
	s.State.Step = min(s.State.Step, len(l.Steps))
	return s, nil
}

// ReadState returns how far a learner is in a lesson.
func ReadState(root, lesson string) (*State, error) {
	return readState(filepath.Join(root, lesson), lesson)
}

func (s *Session) dir(lesson string) string { return filepath.Join(s.root, lesson) }

// checkNeeds checks that the lessons were played whose runs this one asks about.
func (s *Session) checkNeeds() error {
	for _, play := range s.Lesson.needs() {
		lesson, name, _ := strings.Cut(play, ":")
		other, err := ReadState(s.root, lesson)
		if err != nil {
			return err
		}
		if other.Plays[name] == "" {
			return input.New("play it first: coalmine learn "+lesson, "the lesson %s asks about your runs of the "+
				"lesson %s", s.Lesson.Name, lesson)
		}
	}
	return nil
}

// needs lists the plays of other lessons that a lesson asks about.
func (l *Lesson) needs() []string {
	var plays []string
	add := func(refs ...string) {
		for _, text := range refs {
			if ref, err := parseRef(text); err == nil && strings.Contains(ref.play, ":") {
				plays = append(plays, ref.play)
			}
		}
	}
	for _, step := range l.Steps {
		for _, q := range slices.Concat(step.Predict, step.Ask) {
			if strings.Contains(q.Play, ":") {
				plays = append(plays, q.Play)
			}
			add(inText(q.Question.Question + q.Why)...)
		}
		for _, f := range step.Show {
			add(f.Figure)
		}
		add(inText(step.Text + step.After)...)
		if strings.Contains(step.Evidence, ":") {
			plays = append(plays, step.Evidence)
		}
	}
	slices.Sort(plays)
	return slices.Compact(plays)
}

// value computes a figure, as PLAY.FIGURE.
func (s *Session) value(text string) (Value, error) {
	ref, err := parseRef(text)
	if err != nil {
		return Value{}, err
	}
	rec, err := s.recording(ref.play)
	if err != nil {
		return Value{}, err
	}
	return lookup(rec, ref)
}

// folder is the run folder of a play.
func (s *Session) folder(play string) (string, error) {
	lesson, name, other := strings.Cut(play, ":")
	state := s.State
	if !other {
		lesson, name = s.Lesson.Name, play
	} else {
		var err error
		if state, err = ReadState(s.root, lesson); err != nil {
			return "", err
		}
	}
	if state.Plays[name] == "" {
		return "", input.New("play it first: coalmine learn "+lesson, "%s was not played yet", play)
	}
	return filepath.Join(s.dir(lesson), state.Plays[name]), nil
}

func (s *Session) recording(play string) (*result.Recording, error) {
	if rec := s.read[play]; rec != nil {
		return rec, nil
	}
	dir, err := s.folder(play)
	if err != nil {
		return nil, err
	}
	rec, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	s.read[play] = rec
	return rec, nil
}

// Run leads through the steps that are left. It returns [ErrStop] or [ErrTask] if the lesson is not
// over.
func (s *Session) Run(ctx context.Context) error {
	if s.State.Step == 0 {
		s.UI.Show(fmt.Sprintf("# %s\n\n%s\n\n*%s, about %d minutes.*", s.Lesson.Title, s.Lesson.Summary,
			format.Plural(len(s.Lesson.Steps), "step"), s.Lesson.Minutes))
	}
	for s.State.Step < len(s.Lesson.Steps) {
		if err := s.step(ctx, &s.Lesson.Steps[s.State.Step]); err != nil {
			return errors.Join(err, s.State.write(s.dir(s.Lesson.Name)))
		}
		s.State.Step++
		if err := s.State.write(s.dir(s.Lesson.Name)); err != nil {
			return err
		}
		if s.State.Step < len(s.Lesson.Steps) {
			if err := s.lookBack(s.State.Step-1, func() error { return s.UI.Pause("the next step") }); err != nil {
				return err
			}
		}
	}
	return s.finish()
}

// Predictions counts those that were near enough, of those that could be compared with a run.
func (s *Session) Predictions() (right, of int) {
	return count(s.answers(), func(a Answered) bool { return a.Predicted })
}

// finish says what the lesson came to.
func (s *Session) finish() error {
	predicted, ofPredicted := s.Predictions()
	right, of := count(s.answers(), func(a Answered) bool { return !a.Predicted })
	s.State.Complete = right >= s.Lesson.Need
	if err := s.State.write(s.dir(s.Lesson.Name)); err != nil {
		return err
	}
	text := fmt.Sprintf("## The lesson %s is over\n\n", s.Lesson.Name)
	if ofPredicted > 0 {
		text += fmt.Sprintf("- Predictions: %d of %d were near enough.\n", predicted, ofPredicted)
	}
	if of > 0 {
		text += fmt.Sprintf("- Answers: %d of %d right", right, of)
		if s.Lesson.Need > 0 {
			text += fmt.Sprintf("; %d are needed", s.Lesson.Need)
		}
		text += ".\n"
	}
	for _, o := range s.Course.Outcomes {
		if o.Lesson == s.Lesson.Name {
			text += fmt.Sprintf("- Graded outcome %q: %s.\n", o.Title, s.Course.Result(s.root, o))
		}
	}
	if !s.State.Complete {
		text += fmt.Sprintf("\nAnswer again: `coalmine learn %s --again`\n", s.Lesson.Name)
	} else if next := s.Course.After(s.Lesson.Name); next != "" {
		text += fmt.Sprintf("\nThe next lesson: `coalmine learn %s`\n", next)
	} else {
		text += "\nIt was the last one.\n" + s.Course.outcomes(s.root)
	}
	s.UI.Show(text)
	return nil
}

// After names the lesson after another one, or returns "".
func (c *Course) After(name string) string {
	all := c.Names()
	if i := slices.Index(all, name); i >= 0 && i+1 < len(all) {
		return all[i+1]
	}
	return ""
}
