// Package lesson leads through a course of lessons. A lesson is data: steps with a text, predictions
// that are asked before a play, plays, and questions whose answers are read from the recorded runs.
//
// A [Session] leads one learner through one lesson. It asks and shows by a [UI] and plays by a
// [Player], so that a terminal, a pipe and a test lead through the same lesson. What the learner said
// and played is kept in a folder of the lesson.
package lesson

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/scenario"
)

// Course is a list of lessons and what it grades.
type Course struct {
	Title string
	// Text introduces the course, as Markdown.
	Text    string
	Lessons []*Lesson
	// Outcomes are what the course is for.
	Outcomes []Outcome

	fsys fs.FS
}

// Outcome is something that a learner can do after the course. It is reached when the lesson is
// complete.
type Outcome struct {
	Name, Title, Lesson string
}

// Lesson is one lesson.
type Lesson struct {
	Name, Title, Summary string
	// Minutes is about how long it takes.
	Minutes int
	// Need is how many answers to questions have to be right; predictions do not count.
	Need  int
	Steps []Step
}

// Step is one step of a lesson. Its parts come in this order: text, predictions, task, plays,
// comparison, text after, questions, checks.
type Step struct {
	Name, Title, Text string
	// Predict are asked before the plays, and compared with them afterwards. A wrong prediction
	// holds nobody up.
	Predict []Question
	// Task is work on the learner's own manifests; nil for none.
	Task *Task
	Play []Play
	// Show are figures to show after the plays.
	Show []Shown
	// After is a text in which {{fig "PLAY.FIGURE"}} stands for a figure.
	After string
	// Ask are questions after the plays, whose answers count.
	Ask []Question
	// Check are conditions for the step to be complete.
	Check []Check
	// Evidence is the play, as LESSON:PLAY, of which a go/no-go package is written; "" for none.
	Evidence string
}

// Task names a workspace of a scenario that the learner edits.
type Task struct {
	// Scenario is one of the library, whose starter manifests the workspace gets.
	Scenario string
	// Dir is the folder's name.
	Dir string
}

// Play is a trial that a step plays.
type Play struct {
	Name, Title string
	// Scenario is one of the course, or of the library.
	Scenario string
	// Guardrails is a folder of the lesson, or a variant of the scenario; "" is the step's task.
	Guardrails string
	// Version is the only version to play; "" plays a whole trial with all that it is compared with.
	Version string
	// Seed is the first of Seeds seeds.
	Seed  uint64
	Seeds int
	// Approve is when a person approves, as a duration since the release; "" is never.
	Approve string
	// Confirm adds check seeds to a trial that passes.
	Confirm bool
}

// Shown is a figure with its name for people.
type Shown struct{ Name, Figure string }

// Question is one of a quiz, with a name. Its texts may have figures.
type Question struct {
	Name string
	// Play is the play that its expression is about, as PLAY or LESSON:PLAY.
	Play string
	scenario.Question
}

// UnmarshalYAML implements [yaml.Unmarshaler]: a question has a name, a play, and the fields of a quiz.
func (q *Question) UnmarshalYAML(n *yaml.Node) error {
	rest := *n
	rest.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key, value := n.Content[i], n.Content[i+1]; key.Value {
		case "name":
			q.Name = value.Value
		case "play":
			q.Play = value.Value
		default:
			rest.Content = append(rest.Content, key, value)
		}
	}
	var err error
	if q.Question, err = scenario.ReadQuestion(fileLesson, &rest); err != nil {
		return fmt.Errorf("question %s: %w", q.Name, err)
	}
	return nil
}

// Check is a condition of a step.
type Check struct {
	Figure string
	// Is is the text that the figure has to have; Min and Max bound a number.
	Is       string
	Min, Max *float64
	// Else says what to do if it does not hold.
	Else string
}

// Names of files and folders of a course.
const (
	fileCourse    = "course.yaml"
	fileLesson    = "lesson.yaml"
	dirGuardrails = "guardrails"
	dirScenarios  = "scenarios"
)

// Load reads and validates a course.
func Load(fsys fs.FS) (*Course, error) {
	var list struct {
		Title, Text string
		Lessons     []string
		Outcomes    []Outcome
	}
	if err := decode(fsys, fileCourse, &list); err != nil {
		return nil, err
	}
	c := &Course{Title: list.Title, Text: list.Text, Outcomes: list.Outcomes, fsys: fsys}
	for _, name := range list.Lessons {
		l := &Lesson{}
		file := path.Join(name, fileLesson)
		if err := decode(fsys, file, l); err != nil {
			return nil, err
		}
		l.Name = name
		if err := l.validate(c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		c.Lessons = append(c.Lessons, l)
	}
	for _, o := range c.Outcomes {
		if c.Lesson(o.Lesson) == nil {
			return nil, fmt.Errorf("%s: outcome %s: there is no lesson %q", fileCourse, o.Name, o.Lesson)
		}
	}
	return c, nil
}

func decode(fsys fs.FS, name string, to any) error {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Lesson returns the lesson with a name, or nil.
func (c *Course) Lesson(name string) *Lesson {
	i := slices.IndexFunc(c.Lessons, func(l *Lesson) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return c.Lessons[i]
}

// Names returns the names of the lessons in order.
func (c *Course) Names() []string {
	var names []string
	for _, l := range c.Lessons {
		names = append(names, l.Name)
	}
	return names
}

// Scenarios returns the course's own scenarios, as a library of them.
func (c *Course) Scenarios() fs.FS {
	sub, err := fs.Sub(c.fsys, dirScenarios)
	if err != nil {
		panic(err) // the path is valid
	}
	return sub
}

// Guardrails returns the manifests of a folder of a lesson, by file name; ok is false if the lesson
// has no such folder.
func (c *Course) Guardrails(lesson, name string) (files map[string][]byte, ok bool) {
	dir := path.Join(lesson, dirGuardrails, name)
	entries, err := fs.ReadDir(c.fsys, dir)
	if err != nil || name == "" {
		return nil, false
	}
	files = map[string][]byte{}
	for _, e := range entries {
		if data, err := fs.ReadFile(c.fsys, path.Join(dir, e.Name())); err == nil {
			files[e.Name()] = data
		}
	}
	return files, true
}

var label = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// validate checks that names are unique and that every figure is one of a play that came before.
// Plays of other lessons have to be in the course before this one.
func (l *Lesson) validate(c *Course) error {
	played := map[string]bool{}
	for _, other := range c.Lessons {
		for _, p := range other.plays() {
			played[other.Name+":"+p.Name] = true
		}
	}
	steps := map[string]bool{}
	for i := range l.Steps {
		s := &l.Steps[i]
		if !label.MatchString(s.Name) || steps[s.Name] {
			return fmt.Errorf("step %d: %q is not a new name of small letters, digits and dashes", i+1, s.Name)
		}
		steps[s.Name] = true
		for _, p := range s.Play {
			if !label.MatchString(p.Name) || played[p.Name] {
				return fmt.Errorf("step %s: the play %q needs a new name", s.Name, p.Name)
			}
			if p.Guardrails == "" && s.Task == nil {
				return fmt.Errorf("step %s: the play %s has no guardrails, and the step no task", s.Name, p.Name)
			}
			played[p.Name] = true
		}
		if err := s.validate(played); err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	return nil
}

func (s *Step) validate(played map[string]bool) error {
	var refs []string
	names := map[string]bool{}
	for _, q := range slices.Concat(s.Predict, s.Ask) {
		if !label.MatchString(q.Name) || names[q.Name] {
			return fmt.Errorf("the question %q needs a new name", q.Name)
		}
		names[q.Name] = true
		if (q.Play == "") != (q.Expression+q.When == "") || q.At != "" {
			return fmt.Errorf("question %s: an expression is about a play, and nothing is at a checkpoint", q.Name)
		}
		if q.Play != "" && !played[q.Play] {
			return fmt.Errorf("question %s: there is no play %q before", q.Name, q.Play)
		}
		refs = append(refs, inText(q.Question.Question+q.Why)...)
	}
	for _, f := range s.Show {
		refs = append(refs, f.Figure)
	}
	for _, k := range s.Check {
		refs = append(refs, k.Figure)
	}
	if s.Evidence != "" && !played[s.Evidence] {
		return fmt.Errorf("evidence: there is no play %q before", s.Evidence)
	}
	refs = append(refs, inText(s.Text)...)
	refs = append(refs, inText(s.After)...)
	for _, text := range refs {
		ref, err := parseRef(text)
		if err != nil {
			return err
		}
		if !played[ref.play] {
			return fmt.Errorf("%s: there is no play %q before", text, ref.play)
		}
	}
	return nil
}

func (l *Lesson) plays() []Play {
	var all []Play
	for _, s := range l.Steps {
		all = append(all, s.Play...)
	}
	return all
}
