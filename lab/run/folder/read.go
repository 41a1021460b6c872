package folder

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"coalmine/lab/event"
)

// Limits of what is read back. A run of an hour with a thousand cells a second stays far below them.
const (
	maxManifest = 1 << 20
	maxLog      = 1 << 30
)

// Folder is a run folder that was written before.
type Folder struct {
	Manifest Manifest
	root     *os.Root
}

// Open reads what a run folder holds and checks that it can be one. Close it after use.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the run folder %s: %w", dir, withoutPath(err))
	}
	f := &Folder{root: root}
	if err := f.readManifest(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no run folder that can be read: %s: %w", dir, fileManifest, withoutPath(err)), root.Close())
	}
	return f, nil
}

// withoutPath leaves out what the system tried with which file: errors here name the file themselves.
func withoutPath(err error) error {
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		return wrong.Err
	}
	return err
}

// Close frees the folder.
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

// Scenario is the folder of the scenario, for its loader.
func (f *Folder) Scenario() (fs.FS, error) { return fs.Sub(f.root.FS(), dirScenario) }

// Guardrails is the folder of the manifests.
func (f *Folder) Guardrails() (fs.FS, error) { return fs.Sub(f.root.FS(), dirGuardrails) }

// Limits of the manifests that are read back.
const (
	maxManifests     = 200
	maxManifestBytes = 8 << 20
)

// Manifests returns the guardrails by path. A folder without any, as of an older trial or an edited one, has none.
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
			return fmt.Errorf("there are over %d", maxManifests)
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

// Card returns the recorded score as JSON.
func (f *Folder) Card() ([]byte, error) {
	file, err := f.open(fileCardJSON, maxManifest)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// ErrCutOff says that a log ends in the middle of a line, as it does when the writing process was killed.
var ErrCutOff = errors.New("the log is cut off")

// Events reads the log of a run. A run that never began is an error that is [fs.ErrNotExist]. Of a log that is damaged, the
// events before the damage are returned together with an error; it is [ErrCutOff] when nothing but the end is missing.
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
	events, err := event.Read(io.NewSectionReader(file, 0, whole))
	if err == nil && cut {
		err = fmt.Errorf("%w after line %d", ErrCutOff, len(events))
	}
	if len(events) == 0 && err != nil && !cut {
		return nil, fmt.Errorf("%s: %w", r.eventsPath(), err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("%s: no event was recorded: %w", r.eventsPath(), cmp.Or(err, fs.ErrNotExist))
	}
	if wrong := f.checkRun(r, events); wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return events, fmt.Errorf("%s: %w", r.eventsPath(), err)
	}
	return events, nil
}

// wholeLines returns where the last whole line ends, and whether anything comes after it.
func wholeLines(file *os.File) (end int64, cut bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	chunk := make([]byte, 64<<10)
	for end = info.Size(); end > 0; {
		begin := max(end-int64(len(chunk)), 0)
		n, err := file.ReadAt(chunk[:end-begin], begin)
		if err != nil {
			return 0, false, err
		}
		if i := bytes.LastIndexByte(chunk[:n], '\n'); i >= 0 {
			end = begin + int64(i) + 1
			break
		}
		end = begin
	}
	return end, end < info.Size(), nil
}

// checkRun checks that a log is of the run whose folder it stands in.
func (f *Folder) checkRun(r Run, events []event.Event) error {
	started, _ := events[0].Fact.(event.RunStarted) // event.Read accepts no other opening
	if started.Scenario != f.Manifest.Scenario || started.Seed != r.Seed || started.Version != r.Version {
		return fmt.Errorf("%s: the log is of %s %s with seed %d, not of %s %s with seed %d: files were moved or edited", r.eventsPath(),
			started.Scenario, started.Version, started.Seed, f.Manifest.Scenario, r.Version, r.Seed)
	}
	return nil
}

// open opens a regular file of bounded size.
func (f *Folder) open(name string, most int64) (*os.File, error) {
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", name)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s: is over %d MiB", name, most>>20)
	}
	return f.root.Open(name)
}
