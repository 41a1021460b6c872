package quiz

import (
	"cmp"
	"io"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/scenario"
)

// FileQuestion is a question of quiz.yaml, in the order in which fields are written.
type FileQuestion struct {
	// Kind is single if it is missing.
	Kind scenario.Kind `yaml:"kind,omitempty" json:"kind,omitempty"`
	// Question is the question.
	Question string `yaml:"question" json:"question"`
	// Options are 2 to 26, lettered from A, of which one is right, or one or more of the kind multiple.
	Options []string `yaml:"options,omitempty" json:"options,omitempty"`
	// Answer is the letter of the right option, a number, or a text.
	Answer any `yaml:"answer,omitempty" json:"answer,omitempty"`
	// Answers are the letters of the kind multiple, or the texts that the kind text accepts.
	Answers []string `yaml:"answers,omitempty" json:"answers,omitempty"`
	// Expression gives the answer from the learner's own run in place of answer, in CEL.
	Expression string `yaml:"expression,omitempty" json:"expression,omitempty"`
	// When is an expression in CEL that says whether the question makes sense for the run.
	When string `yaml:"when,omitempty" json:"when,omitempty"`
	// Tolerance is how far a number may be off: a number, or a share such as 5%.
	Tolerance any `yaml:"tolerance,omitempty" json:"tolerance,omitempty"`
	// Unit is that of a number. With s, answers such as 1 min 30 s are read too.
	Unit string `yaml:"unit,omitempty" json:"unit,omitempty"`
	// At is the moment at which the question is asked; at the end if it is missing.
	At scenario.Checkpoint `yaml:"at,omitempty" json:"at,omitempty"`
	// Gate is set if the learner may go on only with an answer.
	Gate bool `yaml:"gate,omitempty" json:"gate,omitempty"`
	// Why says why the answer is right and others are wrong.
	Why string `yaml:"why" json:"why"`
}

// noReason stands for an explanation that the source does not have.
const noReason = "The source of this question gives no explanation."

// File is a quiz as quiz.yaml has it, also as JSON.
type File struct {
	// Questions are 1 to 200.
	Questions []FileQuestion `yaml:"questions" json:"questions"`
}

// FileOf returns questions as a file has them.
func FileOf(all []Asked) File {
	var file File
	for _, a := range all {
		q := FileQuestion{Question: a.Question.Question, Options: a.Options, Expression: a.Expression, When: a.When,
			Unit: a.Unit, At: a.At, Gate: a.Gate, Why: cmp.Or(a.Why, noReason)}
		if a.Kind != scenario.KindSingle {
			q.Kind = a.Kind
		}
		if a.Tolerance > 0 && a.Relative {
			q.Tolerance = tolerance(a)
		} else if a.Tolerance > 0 {
			q.Tolerance = a.Tolerance
		}
		if a.Expression == "" {
			q.setAnswer(a)
		}
		file.Questions = append(file.Questions, q)
	}
	return file
}

func writeYAML(w io.Writer, all []Asked) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(FileOf(all)); err != nil {
		return err
	}
	return e.Close()
}

func (q *FileQuestion) setAnswer(a Asked) {
	switch {
	case a.Kind == scenario.KindNumber:
		q.Answer = a.Value
	case a.Kind == scenario.KindMultiple || len(a.Answers) > 1:
		q.Answers = a.Answers
	case len(a.Answers) == 1:
		q.Answer = a.Answers[0]
	}
}
