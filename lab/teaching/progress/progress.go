// Package progress keeps what a learner has achieved in each scenario: whether it is solved, the
// best score, the hints taken, the quiz. It writes one file in the user's state folder and nothing
// else.
//
// Several processes may use the file at once: each update reads the current file under a lock and
// replaces it atomically. A file that cannot be read is moved aside and reported, never
// overwritten.
package progress

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Format is the version of the file format.
const Format = 1

const (
	fileName = "progress.json"
	lockName = "progress.lock"
	// maxBytes bounds the size of the file.
	maxBytes = 4 << 20
	// maxMovedAside bounds how many unreadable files are kept.
	maxMovedAside = 100
)

// Entry is the progress in one scenario.
type Entry struct {
	// Solved is set once a trial passed.
	Solved bool `json:"solved,omitempty"`
	// Points of the best trial, out of Of, after Cost was deducted for hints.
	Points int `json:"points"`
	Of     int `json:"of"`
	Cost   int `json:"cost,omitempty"`
	// Trials is the number of scored trials.
	Trials int `json:"trials,omitempty"`
	// Hints is the highest hint level that was taken.
	Hints int `json:"hints,omitempty"`
	// QuizRight of QuizOf questions is the best quiz result.
	QuizRight int `json:"quiz_right,omitempty"`
	QuizOf    int `json:"quiz_of,omitempty"`
	// SolutionPlayed is set once the scenario's own solution was played, also a copy of it.
	SolutionPlayed bool `json:"solution_played,omitempty"`
	// Last is the time of the last update.
	Last time.Time `json:"last,omitzero"`
}

// Started reports whether there is any progress.
func (e Entry) Started() bool { return e.Trials > 0 || e.Hints > 0 || e.QuizOf > 0 || e.SolutionPlayed }

// AddTrial records a trial's points, less cost. The better trial stays: one that passed, then the
// one with more points.
func (e *Entry) AddTrial(passed bool, points, of, cost int) {
	net := max(0, points-cost)
	better := e.Trials == 0 || passed && !e.Solved || passed == e.Solved && net > e.Points
	if better {
		e.Points, e.Of, e.Cost = net, of, min(cost, points)
	}
	e.Trials++
	e.Solved = e.Solved || passed
}

// AddQuiz records a quiz result. The better one stays.
func (e *Entry) AddQuiz(right, of int) {
	if e.QuizOf == 0 || right*e.QuizOf > e.QuizRight*of {
		e.QuizRight, e.QuizOf = right, of
	}
}

// Store is the progress file in a folder. The first update creates both.
type Store struct {
	dir string
	now func() time.Time
}

// Open returns the store of a folder.
func Open(dir string, now func() time.Time) *Store { return &Store{dir, now} }

// DefaultDir returns the program's state folder: $XDG_STATE_HOME/coalmine, by default
// ~/.local/state/coalmine. The XDG Base Directory Specification ignores paths that are not
// absolute.
func DefaultDir(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "coalmine"), nil
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home := getenv(name); filepath.IsAbs(home) {
			return filepath.Join(home, ".local", "state", "coalmine"), nil
		}
	}
	return "", errors.New("no folder for progress: set XDG_STATE_HOME or HOME")
}

// Path returns the path of the file.
func (s *Store) Path() string { return filepath.Join(s.dir, fileName) }

// UnreadableError reports a file that could not be read and was moved aside.
type UnreadableError struct {
	Path, MovedTo string
	Err           error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s: %v; it was moved to %s, and progress starts again", e.Path, e.Err, filepath.Base(e.MovedTo))
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Read returns all entries by scenario. With an [UnreadableError] the map is empty.
func (s *Store) Read() (map[string]Entry, error) {
	d, err := s.read()
	if err == nil {
		return d.Scenarios, nil
	}
	none := map[string]Entry{}
	if !errors.Is(err, errUnreadable) {
		return none, err
	}
	unlock, err := s.lock()
	if err != nil {
		return none, err
	}
	defer unlock()
	d, err = s.readOrMoveAside()
	return d.Scenarios, err
}

// Update changes the entry of one scenario and returns it. With an [UnreadableError] the change was
// made to a new file.
func (s *Store) Update(scenario string, change func(*Entry)) (Entry, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return Entry{}, fmt.Errorf("save progress: %w", err)
	}
	unlock, err := s.lock()
	if err != nil {
		return Entry{}, err
	}
	defer unlock()
	d, err := s.readOrMoveAside()
	var moved *UnreadableError
	if err != nil && !errors.As(err, &moved) {
		return Entry{}, err
	}
	e := d.Scenarios[scenario]
	change(&e)
	e.Last = s.now().UTC().Truncate(time.Second)
	d.Scenarios[scenario] = e
	return e, errors.Join(err, s.write(d))
}

// document is the content of the file.
type document struct {
	Format    int              `json:"format"`
	Scenarios map[string]Entry `json:"scenarios"`
}

// errUnreadable marks a file that is not a progress file of this format.
var errUnreadable = errors.New("not a progress file")

func (s *Store) read() (document, error) {
	d := document{Format: Format, Scenarios: map[string]Entry{}}
	f, err := os.Open(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("read progress: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return d, fmt.Errorf("read progress: %w", err)
	}
	return decode(data)
}

func decode(data []byte) (document, error) {
	var d document
	switch err := json.Unmarshal(data, &d); {
	case len(data) > maxBytes:
		return document{}, fmt.Errorf("%w: larger than %d MiB", errUnreadable, maxBytes>>20)
	case err != nil:
		return document{}, fmt.Errorf("%w: %w", errUnreadable, err)
	case d.Format != Format:
		return document{}, fmt.Errorf("%w of format %d: it has format %d", errUnreadable, Format, d.Format)
	}
	if d.Scenarios == nil {
		d.Scenarios = map[string]Entry{}
	}
	return d, nil
}

// readOrMoveAside reads the file under the lock, and moves it aside if it is not a progress file.
func (s *Store) readOrMoveAside() (document, error) {
	d, unreadable := s.read()
	if !errors.Is(unreadable, errUnreadable) {
		return d, unreadable
	}
	d = document{Format: Format, Scenarios: map[string]Entry{}}
	for i := 1; i <= maxMovedAside; i++ {
		moved := filepath.Join(s.dir, fmt.Sprintf("%s.aside-%d", fileName, i))
		if _, err := os.Lstat(moved); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Rename(s.Path(), moved); err != nil {
			return d, fmt.Errorf("move progress file aside: %w", err)
		}
		return d, &UnreadableError{s.Path(), moved, unreadable}
	}
	return d, fmt.Errorf("%s: %w; remove some of the files that were moved aside next to it", s.Path(), unreadable)
}

// write replaces the file atomically.
func (s *Store) write(d document) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, ".progress-*")
	if err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	defer os.Remove(f.Name()) // a no-op after the rename
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	if err := os.Rename(f.Name(), s.Path()); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	return nil
}
