package lesson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"coalmine/lab/input"
)

const (
	stateFormat = 1
	fileState   = "state.json"
	// maxState bounds the size of a state file.
	maxState = 1 << 20
)

// State is how far a learner is in a lesson. It is kept in a file of the lesson's folder.
type State struct {
	Format int    `json:"format"`
	Lesson string `json:"lesson"`
	// Step is the index of the next step.
	Step int `json:"step"`
	// Given has the answers as they were typed, by STEP.QUESTION, and Answered what came of them.
	Given    map[string]string `json:"given,omitempty"`
	Answered []Answered        `json:"answered,omitempty"`
	// Plays has the run folders by play, relative to the lesson's folder.
	Plays map[string]string `json:"plays,omitempty"`
	// Complete is set once the lesson was played to its end and enough answers were right.
	Complete bool `json:"complete,omitempty"`
}

// readState reads the state of a lesson's folder; a folder without a state is a new lesson.
func readState(dir, lesson string) (*State, error) {
	s := &State{Format: stateFormat, Lesson: lesson, Given: map[string]string{}, Plays: map[string]string{}}
	name := filepath.Join(dir, fileState)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, input.New("", "read the lesson's state: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil || len(data) > maxState || s.Format != stateFormat || s.Lesson != lesson || s.Step < 0 {
		return nil, input.New("move the folder away, or play the lesson with --again", "%s is not the state of the "+
			"lesson %s", name, lesson)
	}
	if s.Given == nil {
		s.Given = map[string]string{}
	}
	if s.Plays == nil {
		s.Plays = map[string]string{}
	}
	for _, run := range s.Plays {
		if !filepath.IsLocal(run) {
			return nil, input.New("move it away", "%s names a run folder outside of the lesson's: %s", name, run)
		}
	}
	return s, nil
}

// write replaces the state file.
func (s *State) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return input.New("go to a folder that can be written", "%w", err)
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := filepath.Join(dir, fileState+".new")
	if err := os.WriteFile(next, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep the lesson's state: %w", err)
	}
	return os.Rename(next, filepath.Join(dir, fileState))
}

// record keeps an answer, in place of an earlier one to the same question.
func (s *State) record(a Answered) {
	same := func(b Answered) bool { return a.Step == b.Step && a.Question == b.Question }
	if i := slices.IndexFunc(s.Answered, same); i >= 0 {
		s.Answered[i] = a
		return
	}
	s.Answered = append(s.Answered, a)
}

// Predictions and Questions count the right answers.
func (s *State) Predictions() (right, of int) {
	return count(s.Answered, func(a Answered) bool { return a.Predicted })
}

// Questions counts the right answers to questions.
func (s *State) Questions() (right, of int) {
	return count(s.Answered, func(a Answered) bool { return !a.Predicted })
}
