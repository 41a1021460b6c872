package lesson

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"coalmine/lab/input/digest"
	"coalmine/lab/run/result"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// gradedCheckSeeds is how many check seeds have to confirm a learner's own manifests before an outcome
// is reached: those that run plays unless it is told otherwise.
const gradedCheckSeeds = 20

// Result says whether an outcome was reached.
type Result struct {
	Begun, Reached bool
	// Reason says why it was not reached.
	Reason string
}

// String returns the result for people.
func (r Result) String() string {
	if r.Reached {
		return "reached"
	}
	return "not reached: " + r.Reason
}

// Result judges an outcome by what was recorded: the run folders of its lesson, and of those that the
// lesson asks about, have to be whole, to hold what the lesson plays, and to meet its checks. What the
// state file says about the lesson does not count; the answers in it are compared with the runs again.
func (c *Course) Result(root string, o Outcome) Result {
	s, err := c.session(c.Lesson(o.Lesson), root)
	if err != nil {
		return Result{Begun: true, Reason: firstLine(err)}
	}
	if s.State.Step == 0 && len(s.State.Given) == 0 {
		return Result{Reason: "the lesson was not begun"}
	}
	if err := s.judgeOutcome(); err != nil {
		return Result{Begun: true, Reason: firstLine(err)}
	}
	return Result{Begun: true, Reached: true}
}

// firstLine is the text of an error without hints.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// judgeOutcome returns why the outcome of the session's lesson is not reached, nil if it is.
func (s *Session) judgeOutcome() error {
	if s.State.Step < len(s.Lesson.Steps) {
		return fmt.Errorf("step %d of %d is next", s.State.Step+1, len(s.Lesson.Steps))
	}
	names := s.Lesson.needs()
	for _, p := range s.Lesson.plays() {
		names = append(names, p.Name)
	}
	for _, name := range names {
		if err := s.checkPlay(name); err != nil {
			return err
		}
	}
	for i := range s.Lesson.Steps {
		var unmet *unmetError
		if err := s.check(&s.Lesson.Steps[i]); errors.As(err, &unmet) {
			return errors.New(strings.TrimSpace(strings.Trim(unmet.text, "✗ ")))
		} else if err != nil {
			return err
		}
	}
	right, of := count(s.answers(), func(a Answered) bool { return !a.Predicted })
	if right < s.Lesson.Need {
		return fmt.Errorf("%d of %d answers are right, and %d are needed", right, of, s.Lesson.Need)
	}
	return nil
}

// checkPlay checks that the run folder of a play is whole, and that it is of that play.
func (s *Session) checkPlay(name string) error {
	rec, err := s.recording(name)
	if err != nil {
		return err
	}
	lesson, p := s.Lesson, name
	if other, play, ok := strings.Cut(name, ":"); ok {
		lesson, p = s.Course.Lesson(other), play
	}
	plays := lesson.plays()
	i := slices.IndexFunc(plays, func(x Play) bool { return x.Name == p })
	if i < 0 {
		return fmt.Errorf("the lesson has no play %s", name)
	}
	if err := s.Course.checkRecording(rec, lesson.Name, plays[i]); err != nil {
		return fmt.Errorf("the run folder of %s: %w", name, err)
	}
	if plays[i].Confirm {
		return confirmed(rec.Card())
	}
	return nil
}

func (c *Course) checkRecording(rec *result.Recording, lesson string, p Play) error {
	if rec.Manifest.Evidence == nil {
		return errors.New("run.json has no digests: the trial did not end")
	}
	for _, l := range rec.Logs {
		if l.Err != nil {
			return l.Err
		}
	}
	want, err := c.scenario(p.Scenario)
	if err != nil {
		return err
	}
	if want.Digest() != rec.Scenario.Digest() {
		return fmt.Errorf("it was played with another scenario than %s of this program", p.Scenario)
	}
	files, ok := c.Guardrails(lesson, p.Guardrails)
	if ok && digest.Documents(files) != digest.Documents(rec.Guardrails) {
		return errors.New("it was played with other guardrails than those of the lesson")
	}
	return nil
}

// confirmed checks that check seeds that nobody chose confirm a card.
func confirmed(card score.Card) error {
	switch k := card.Check; {
	case k == nil || k.Planned == 0:
		return errors.New("no check seeds were played, so this is not a graded pass; leave --check-seeds out")
	case k.Given:
		return errors.New("the check seeds follow from a nonce that was given, so this is not a graded pass")
	case k.Planned < gradedCheckSeeds:
		return fmt.Errorf("%d check seeds were played, and a graded pass needs %d", k.Planned, gradedCheckSeeds)
	case !k.Confirmed():
		return fmt.Errorf("%d of %d check seeds passed, and %d have to", k.Passed, k.Planned, k.Required)
	}
	return nil
}

// scenario loads a scenario of the course, or of the library.
func (c *Course) scenario(name string) (*scenario.Scenario, error) {
	f, err := scenario.Open(c.Scenarios(), name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = scenario.Open(scenarios.Library(), name)
	}
	if err != nil {
		return nil, err
	}
	return f.Load()
}
