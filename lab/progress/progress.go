// Package progress keeps what a learner has reached in each scenario: whether it was solved, the best score, the hints that were
// taken, the quiz. It is one file in the user's state folder, and nothing else is written.
//
// Several programs may use the same file at once: each change is made to the file as it stands, under a lock, and the new file
// takes the old one's place as a whole. A file that cannot be read is put aside and told of, never written over.
//
// The package knows nothing of runs and screens.
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

// Format is the version of the file's form.
const Format = 1

const (
	fileName = "progress.json"
	lockName = "progress.lock"
	// maxBytes bounds what is read.
	maxBytes = 4 << 20
	// maxMovedAside bounds how many broken files are kept.
	maxMovedAside = 100
)

// Entry is what was reached in one scenario.
type Entry struct {
	// Solved is set once a trial passed.
	Solved bool `json:"solved,omitempty"`
	// Points of the best trial, of Of, after Cost was taken off for hints.
	Points int `json:"points"`
	Of     int `json:"of"`
	Cost   int `json:"cost,omitempty"`
	// Trials that were scored.
	Trials int `json:"trials,omitempty"`
	// Hints is the highest level that was taken.
	Hints int `json:"hints,omitempty"`
	// Quiz is the best quiz: QuizRight of QuizOf questions.
	QuizRight int `json:"quiz_right,omitempty"`
	QuizOf    int `json:"quiz_of,omitempty"`
	// Last is when something last changed.
	Last time.Time `json:"last,omitzero"`
}

// Started tells whether anything was done.
func (e Entry) Started() bool { return e.Trials > 0 || e.Hints > 0 || e.QuizOf > 0 }

// AddTrial takes a trial's points, from which cost is taken off. The better trial stays: one that passed, then the one with more
// points.
func (e *Entry) AddTrial(passed bool, points, of, cost int) {
	net := max(0, points-cost)
	better := e.Trials == 0 || passed && !e.Solved || passed == e.Solved && net > e.Points
	if better {
		e.Points, e.Of, e.Cost = net, of, min(cost, points)
	}
	e.Trials++
	e.Solved = e.Solved || passed
}

// AddQuiz takes a quiz's result. The better one stays.
func (e *Entry) AddQuiz(right, of int) {
	if e.QuizOf == 0 || right*e.QuizOf > e.QuizRight*of {
		e.QuizRight, e.QuizOf = right, of
	}
}

// Store is a logbook in a folder, which is made when something is first written.
type Store struct {
	dir string
	now func() time.Time
}

// Open returns the logbook of a folder.
func Open(dir string, now func() time.Time) *Store { return &Store{dir, now} }

// DefaultDir is the folder of the program's state: $XDG_STATE_HOME/coalmine, by default ~/.local/state/coalmine. By the XDG Base
// Directory Specification a path that is not absolute counts as unset.
func DefaultDir(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "coalmine"), nil
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home := getenv(name); filepath.IsAbs(home) {
			return filepath.Join(home, ".local", "state", "coalmine"), nil
		}
	}
	return "", errors.New("there is no folder for progress: set XDG_STATE_HOME or HOME")
}

// Path is the file.
func (b *Store) Path() string { return filepath.Join(b.dir, fileName) }

// UnreadableError says that the file could not be read, and was put aside.
type UnreadableError struct {
	Path, MovedTo string
	Err           error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s: %v; it was put aside as %s, and progress begins anew", e.Path, e.Err, filepath.Base(e.MovedTo))
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Read returns all entries by scenario. An [AsideError] comes with an empty logbook.
func (b *Store) Read() (map[string]Entry, error) {
	d, err := b.read()
	if err == nil {
		return d.Scenarios, nil
	}
	none := map[string]Entry{}
	if !errors.Is(err, errUnreadable) {
		return none, err
	}
	unlock, err := b.lock()
	if err != nil {
		return none, err
	}
	defer unlock()
	d, err = b.readOrMoveAside()
	return d.Scenarios, err
}

// Update changes the entry of one scenario. An [AsideError] comes with the changed entry of a new logbook.
func (b *Store) Update(scenario string, change func(*Entry)) (Entry, error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return Entry{}, fmt.Errorf("keep progress: %w", err)
	}
	unlock, err := b.lock()
	if err != nil {
		return Entry{}, err
	}
	defer unlock()
	d, err := b.readOrMoveAside()
	var aside *UnreadableError
	if err != nil && !errors.As(err, &aside) {
		return Entry{}, err
	}
	e := d.Scenarios[scenario]
	change(&e)
	e.Last = b.now().UTC().Truncate(time.Second)
	d.Scenarios[scenario] = e
	return e, errors.Join(err, b.write(d))
}

// document is the file.
type document struct {
	Format    int              `json:"format"`
	Scenarios map[string]Entry `json:"scenarios"`
}

// errUnreadable marks a file that is there, but is no logbook of this format.
var errUnreadable = errors.New("no logbook")

func (b *Store) read() (document, error) {
	d := document{Format: Format, Scenarios: map[string]Entry{}}
	f, err := os.Open(b.Path())
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
		return document{}, fmt.Errorf("%w: it is over %d MiB", errUnreadable, maxBytes>>20)
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

// readOrMoveAside reads under the lock; a file that is no logbook is put aside.
func (b *Store) readOrMoveAside() (document, error) {
	d, err := b.read()
	if !errors.Is(err, errUnreadable) {
		return d, err
	}
	d = document{Format: Format, Scenarios: map[string]Entry{}}
	for i := 1; i <= maxMovedAside; i++ {
		aside := filepath.Join(b.dir, fmt.Sprintf("%s.aside-%d", fileName, i))
		if _, taken := os.Lstat(aside); !errors.Is(taken, fs.ErrNotExist) {
			continue
		}
		if moved := os.Rename(b.Path(), aside); moved != nil {
			return d, fmt.Errorf("put progress aside: %w", moved)
		}
		return d, &UnreadableError{b.Path(), aside, err}
	}
	return d, fmt.Errorf("%s: %w; remove some of the files that were put aside beside it", b.Path(), err)
}

// write puts a new file into the old one's place.
func (b *Store) write(d document) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(b.dir, ".progress-*")
	if err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	defer os.Remove(f.Name()) // nothing is there after the rename
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	if err := os.Rename(f.Name(), b.Path()); err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	return nil
}
