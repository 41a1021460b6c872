package scenario

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Quiz is the set of questions that a learner answers before, during and after a scenario.
type Quiz struct {
	Questions []Question
}

// Kind says how a question is answered.
type Kind string

// Kinds of questions.
const (
	// KindSingle has options of which one is right, KindMultiple options of which one or more are.
	KindSingle   Kind = "single"
	KindMultiple Kind = "multiple"
	// KindNumber is answered by a number, KindText by a few words.
	KindNumber Kind = "number"
	KindText   Kind = "text"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{KindSingle, KindMultiple, KindNumber, KindText} }

// HasOptions reports whether a question of the kind has options.
func (k Kind) HasOptions() bool { return k == KindSingle || k == KindMultiple }

// Checkpoint is a moment of a scenario that a question is bound to.
type Checkpoint string

// Checkpoints in their order. A question without one is asked when the scenario is over.
const (
	// CheckpointPredict is before the rollout: the learner predicts what the run will show.
	CheckpointPredict Checkpoint = "predict"
	// CheckpointFailedCheck is at the first failed check of the learner's faulty run.
	CheckpointFailedCheck Checkpoint = "failed-check"
	// CheckpointVerdict is after the verdict.
	CheckpointVerdict Checkpoint = "verdict"
)

// Checkpoints lists all checkpoints in their order.
func Checkpoints() []Checkpoint {
	return []Checkpoint{CheckpointPredict, CheckpointFailedCheck, CheckpointVerdict}
}

// Question is one question.
type Question struct {
	Kind     Kind
	Question string
	// Options are lettered from A in their order.
	Options []string
	// Answers are the letters of the right options, in order, or the accepted texts.
	Answers []string
	// Value is the answer to a question for a number, in Unit. What differs from it by at most
	// Tolerance is right too; the tolerance is a share of the value if Relative is set.
	Value     float64
	Tolerance float64
	Relative  bool
	Unit      string
	// Expression gives the answer from the learner's own run instead, and When says whether the
	// question makes sense for that run; see package coalmine/lab/scenario/quizexpr.
	Expression string
	When       string
	// At is the moment at which the question is asked. If Gate is set, the learner can go on only
	// when it is answered.
	At   Checkpoint
	Gate bool
	// Why explains why the answer is right and others are wrong.
	Why string
}

// Letter returns the letter of the option with an index: A for 0.
func Letter(option int) string { return string(rune('A' + option)) }

// IsRight reports whether the option with an index is right.
func (q Question) IsRight(option int) bool { return slices.Contains(q.Answers, Letter(option)) }

// Limits of a quiz: letters are A to Z, and a quiz may be anyone's.
const (
	minOptions   = 2
	maxOptions   = 26
	maxQuestions = 200
	maxAnswers   = 20
	// maxText is the length of a text in bytes.
	maxText = 4000
	// maxNumber keeps numbers in the range in which they are exact.
	maxNumber = 1e15
)

// Quiz reads and validates the folder's quiz. If the file is missing, the error is
// [io/fs.ErrNotExist]; if the quiz is invalid, it is of type [Problems].
func (f *Folder) Quiz() (*Quiz, error) {
	data, err := f.Text(FileQuiz)
	if err != nil {
		return nil, err
	}
	name := path.Join(f.dir, FileQuiz)
	if f.root != nil {
		name = filepath.Join(f.root.Name(), name)
	}
	return ParseQuiz(name, data)
}

// ParseQuiz decodes and validates a quiz; name is the name of the file, for errors. The error is of
// type [Problems].
func ParseQuiz(name string, data []byte) (*Quiz, error) {
	r := quizReader{file: name}
	q := r.quiz(data)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, r.problems
	}
	return q, nil
}

// ReadQuestion decodes and validates one question as a quiz has them; file is the name of the file that
// the node is of, for errors. The error is of type [Problems].
func ReadQuestion(file string, n *yaml.Node) (Question, error) {
	r := quizReader{file: file}
	q := r.question(n, nil)
	if len(r.problems) > 0 {
		return Question{}, r.problems
	}
	return q, nil
}

// list joins the names of kinds or checkpoints for messages.
func list[T ~string](all []T) string {
	var names []string
	for _, t := range all {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}
