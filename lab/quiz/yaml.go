package quiz

import (
	"cmp"
	"io"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/scenario"
)

// yamlQuestion is a question of quiz.yaml, in the order in which fields are written.
type yamlQuestion struct {
	Kind       string   `yaml:"kind,omitempty" json:"kind,omitempty"`
	Question   string   `yaml:"question" json:"question"`
	Options    []string `yaml:"options,omitempty" json:"options,omitempty"`
	Answer     any      `yaml:"answer,omitempty" json:"answer,omitempty"`
	Answers    []string `yaml:"answers,omitempty" json:"answers,omitempty"`
	Expression string   `yaml:"expression,omitempty" json:"expression,omitempty"`
	When       string   `yaml:"when,omitempty" json:"when,omitempty"`
	Tolerance  any      `yaml:"tolerance,omitempty" json:"tolerance,omitempty"`
	Unit       string   `yaml:"unit,omitempty" json:"unit,omitempty"`
	At         string   `yaml:"at,omitempty" json:"at,omitempty"`
	Gate       bool     `yaml:"gate,omitempty" json:"gate,omitempty"`
	Why        string   `yaml:"why" json:"why"`
}

// noReason stands for an explanation that the source does not have.
const noReason = "The source of this question gives no explanation."

// File is a quiz as quiz.yaml has it, also as JSON.
type File struct {
	Questions []yamlQuestion `yaml:"questions" json:"questions"`
}

// FileOf returns questions as a file has them.
func FileOf(all []Asked) File {
	var file File
	for _, a := range all {
		q := yamlQuestion{Question: a.Question.Question, Options: a.Options, Expression: a.Expression, When: a.When,
			Unit: a.Unit, At: string(a.At), Gate: a.Gate, Why: cmp.Or(a.Why, noReason)}
		if a.Kind != scenario.KindSingle {
			q.Kind = string(a.Kind)
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

func (q *yamlQuestion) setAnswer(a Asked) {
	switch {
	case a.Kind == scenario.KindNumber:
		q.Answer = a.Value
	case a.Kind == scenario.KindMultiple || len(a.Answers) > 1:
		q.Answers = a.Answers
	case len(a.Answers) == 1:
		q.Answer = a.Answers[0]
	}
}
