package lesson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"coalmine/lab/input"
)

const (
	stateFormat = 2
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
	// Given has the answers by STEP.QUESTION, with the texts of options. What came of them is read from
	// the runs each time.
	Given map[string]string `json:"given,omitempty"`
	// Plays has the run folders by play, relative to the lesson's folder.
	Plays map[string]string `json:"plays,omitempty"`
	// Complete is set once the lesson was played to its end and enough answers were right. An outcome
	// of the course does not rest on it: see [Course.Result].
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
