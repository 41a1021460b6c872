package folder

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/input"
)

// Limits of files that are read. The largest trial, of 200 seeds, takes half of maxMemory.
const (
	maxManifest = 1 << 20
	// maxLog is the size of one log, maxMemory the memory that the events of all logs may take.
	maxLog    = 256 << 20
	maxMemory = 3 << 29
)

// Folder is an existing run folder.
type Folder struct {
	Manifest Manifest
	root     *os.Root
	budget   *event.Budget
}

// Open opens a run folder and reads its manifest. The caller must close it.
func Open(dir string) (*Folder, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the run folder %s: %w", dir, withoutPath(err))
	}
	f := &Folder{root: root, budget: event.NewBudget(maxMemory)}
	if err := f.readManifest(); err != nil {
		err = fmt.Errorf("%s is not a readable run folder: %s: %w", dir, fileManifest, withoutPath(err))
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// withoutPath removes operation and path from a system error; the callers name the file.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) readManifest() error {
	file, err := f.open(fileManifest, maxManifest)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f.Manifest); err != nil {
		return err
	}
	return f.Manifest.validate()
}

// Scenario returns the scenario's folder.
func (f *Folder) Scenario() (fs.FS, error) { return fs.Sub(files{f.root}, dirScenario) }

// Limits of the guardrails' manifests.
const (
	maxManifests     = 200
	maxManifestBytes = 8 << 20
)

// Manifests returns the guardrails' manifests by path. Folders of older trials may have none.
func (f *Folder) Manifests() (map[string][]byte, error) {
	files := map[string][]byte{}
	left := int64(maxManifestBytes)
	err := fs.WalkDir(f.root.FS(), dirGuardrails, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == dirGuardrails {
			return fs.SkipAll
		}
		if err != nil || e.IsDir() {
			return err
		}
		if len(files) == maxManifests {
			return fmt.Errorf("there are more than %d files", maxManifests)
		}
		file, err := f.open(name, left)
		if err != nil {
			return err
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, left))
		left -= int64(len(data))
		files[strings.TrimPrefix(name, dirGuardrails+"/")] = data
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dirGuardrails, err)
	}
	return files, nil
}

// ErrCutOff means that a log ends within a line, as it does when the writing process was killed.
var ErrCutOff = errors.New("the log is cut off")

// Events reads the log of a run. If the run never started, the error is [fs.ErrNotExist]. If the
// log is damaged, Events returns the events before the damage and an error, which is [ErrCutOff] if
// only the end is missing. If the logs of the folder are too large, the error is
// [event.ErrTooLarge].
func (f *Folder) Events(r Run) ([]event.Event, error) {
	file, err := f.open(r.eventsPath(), maxLog)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	whole, cut, err := wholeLines(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.eventsPath(), err)
	}
	events, err := f.budget.Read(io.NewSectionReader(file, 0, whole))
	if err == nil && cut {
		err = fmt.Errorf("%w after line %d", ErrCutOff, len(events))
	}
	if len(events) == 0 && err != nil && !cut {
		return nil, fmt.Errorf("%s: %w", r.eventsPath(), err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("%s: no events were recorded: %w", r.eventsPath(), cmp.Or(err, fs.ErrNotExist))
	}
	if mismatch := f.checkRun(r, events); mismatch != nil {
		return nil, mismatch
	}
	if err == nil || ended(events) {
		if changed := f.checkDigest(r, file); changed != nil && ended(events) {
			return nil, fmt.Errorf("%s: %w", r.eventsPath(), changed)
		} else if changed != nil {
			err = changed
		}
	}
	if err != nil {
		return events, fmt.Errorf("%s: %w", r.eventsPath(), err)
	}
	return events, nil
}

// ended reports whether a log has its last event, so that it can have a verdict.
func ended(events []event.Event) bool { return events[len(events)-1].Fact.Kind() == event.KindRunEnded }

// checkDigest compares a log with its digest in the evidence, if that has one.
func (f *Folder) checkDigest(r Run, file *os.File) error {
	e := f.Manifest.Evidence
	if e == nil || e.Logs[r.Name()] == "" {
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, maxLog)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != e.Logs[r.Name()] {
		return fmt.Errorf("the log is not the one that was recorded: its digest is not that in %s", fileManifest)
	}
	return nil
}

// wholeLines returns the end of the last complete line, and whether any bytes follow it.
func wholeLines(file *os.File) (end int64, cut bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	chunk := make([]byte, 64<<10)
	for end = info.Size(); end > 0; {
		start := max(end-int64(len(chunk)), 0)
		n, err := file.ReadAt(chunk[:end-start], start)
		if err != nil {
			return 0, false, err
		}
		if i := bytes.LastIndexByte(chunk[:n], '\n'); i >= 0 {
			end = start + int64(i) + 1
			break
		}
		end = start
	}
	return end, end < info.Size(), nil
}

// checkRun checks that a log belongs to the run whose folder it is in.
func (f *Folder) checkRun(r Run, events []event.Event) error {
	started, _ := events[0].Fact.(event.RunStarted) // a log has no other start
	if started.Scenario != f.Manifest.Scenario || started.Seed != r.Seed || started.Version != r.Version {
		return fmt.Errorf("%s: the log belongs to %s %s with seed %d, not to %s %s with seed %d: "+
			"files were moved or edited", r.eventsPath(),
			started.Scenario, started.Version, started.Seed, f.Manifest.Scenario, r.Version, r.Seed)
	}
	return nil
}

// open opens a regular file of at most limit bytes. Nothing in a run folder is a link: a link to
// another run's log would let a small folder hold a large trial.
func (f *Folder) open(name string, limit int64) (*os.File, error) {
	for end := range name {
		if name[end] != '/' {
			continue
		}
		if err := f.refuseLink(name[:end]); err != nil {
			return nil, err
		}
	}
	if err := f.refuseLink(name); err != nil {
		return nil, err
	}
	file, err := openRegular(f.root, name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s: is not a regular file", name)
	case info.Size() > limit:
		err = fmt.Errorf("%s: is over %d MiB", name, limit>>20)
	default:
		return file, nil
	}
	return nil, errors.Join(err, file.Close())
}

func (f *Folder) refuseLink(name string) error {
	info, err := f.root.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s: is a symbolic link", name)
	}
	return err
}

// openRegular opens a regular file or a folder, without waiting for the writer of a pipe.
func openRegular(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|input.NonBlocking, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errors.Join(cmp.Or(err, fmt.Errorf("%s: is not a regular file", name)), file.Close())
	}
	return file, nil
}

// files are the files of a run folder for readers that expect a file system.
type files struct{ root *os.Root }

// Open implements [fs.FS].
func (f files) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return openRegular(f.root, name)
}
