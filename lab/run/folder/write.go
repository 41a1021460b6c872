package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"coalmine/lab/event"
)

// Writer writes one run folder. Its logs may be written from several goroutines, one for each log.
type Writer struct {
	root *os.Root
}

// Create makes a run folder and writes down what will be played. A folder that is there already must be empty, so that no
// earlier trial is overwritten. Close it after use.
func Create(dir string, m Manifest, scenario, guardrails map[string][]byte) (*Writer, error) {
	m.Format = Format
	if err := m.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	r := &Writer{root: root}
	if err := r.writeInputs(m, scenario, guardrails); err != nil {
		return nil, errors.Join(fmt.Errorf("make the run folder: %w", err), root.Close())
	}
	return r, nil
}

func (r *Writer) writeInputs(m Manifest, scenario, guardrails fileTree) error {
	entries, err := fs.ReadDir(r.root.FS(), ".")
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder with -o, or remove it", r.root.Name())
	}
	if err := r.writeTree(dirScenario, scenario); err != nil {
		return err
	}
	if err := r.writeTree(dirGuardrails, guardrails); err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return r.write(fileManifest, append(data, '\n'))
}

func (r *Writer) writeTree(dir string, files fileTree) error {
	for _, name := range files.names() {
		if !fs.ValidPath(name) {
			return fmt.Errorf("%q is no path within a folder", name)
		}
		full := path.Join(dir, name)
		if err := r.root.MkdirAll(path.Dir(full), 0o755); err != nil {
			return err
		}
		if err := r.write(full, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// write replaces a file as a whole: a reader sees the old one or the new one.
func (r *Writer) write(name string, data []byte) error {
	temporary := name + ".tmp"
	if err := r.root.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return r.root.Rename(temporary, name)
}

// Log begins the log of a run.
func (r *Writer) Log(run Run) (*Log, error) {
	if err := r.root.MkdirAll(path.Dir(run.eventsPath()), 0o755); err != nil {
		return nil, fmt.Errorf("record %s: %w", run.Name(), err)
	}
	f, err := r.root.OpenFile(run.eventsPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", run.Name(), err)
	}
	return &Log{Writer: event.NewWriter(f), file: f}, nil
}

// Card writes the score as JSON and as text, replacing an earlier one.
func (r *Writer) Card(asJSON, asText []byte) error {
	if err := r.write(fileCardJSON, asJSON); err != nil {
		return fmt.Errorf("write the card: %w", err)
	}
	if err := r.write(fileCardText, asText); err != nil {
		return fmt.Errorf("write the card: %w", err)
	}
	return nil
}

// Reports writes the page and the draft of a postmortem that are made of the score, replacing earlier ones.
func (r *Writer) Reports(page, postmortem []byte) error {
	if err := r.write(fileReport, page); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := r.write(filePostmortem, postmortem); err != nil {
		return fmt.Errorf("write the postmortem: %w", err)
	}
	return nil
}

// Close frees the folder.
func (r *Writer) Close() error { return r.root.Close() }

// Log is the log of one run.
type Log struct {
	*event.Writer
	file io.Closer
}

// Close writes out what is buffered. It returns the first error of all writes.
func (l *Log) Close() error { return errors.Join(l.Writer.Close(), l.file.Close()) }
