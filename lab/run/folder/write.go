package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"sync"

	"coalmine/lab/event"
)

// Writer writes one run folder. Different logs may be written from different goroutines.
type Writer struct {
	root     *os.Root
	manifest Manifest

	mu   sync.Mutex
	logs map[string]string // digests of the logs that were closed
}

// Create creates a run folder and writes its manifest, scenario and guardrails. An existing folder
// must be empty, so that no earlier trial is overwritten. The caller must close the Writer.
func Create(dir string, m Manifest, scenario, guardrails map[string][]byte) (*Writer, error) {
	m.Format = Format
	if err := m.validate(); err != nil {
		return nil, err
	}
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the run folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("create the run folder: %w", err)
	}
	w := &Writer{root: root, manifest: m, logs: map[string]string{}}
	if err := w.writeInputs(m, scenario, guardrails); err != nil {
		err = errors.Join(fmt.Errorf("create the run folder: %w", err), root.Close())
		if missing != nil {
			os.Remove(dir) // it is empty
		}
		return nil, err
	}
	return w, nil
}

// writeInputs writes all files of the inputs, or none.
func (w *Writer) writeInputs(m Manifest, scenario, guardrails fileTree) error {
	entries, err := fs.ReadDir(w.root.FS(), ".")
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: choose a new folder with -o, or remove it", w.root.Name())
	}
	err = w.writeTree(dirScenario, scenario)
	if err == nil {
		err = w.writeTree(dirGuardrails, guardrails)
	}
	if err == nil {
		err = w.writeManifest(m)
	}
	if err != nil {
		for _, name := range []string{dirScenario, dirGuardrails, fileManifest, temporaryFile} {
			err = errors.Join(err, w.root.RemoveAll(name))
		}
	}
	return err
}

func (w *Writer) writeManifest(m Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return w.write(fileManifest, append(data, '\n'))
}

func (w *Writer) writeTree(dir string, files fileTree) error {
	for _, name := range files.names() {
		if !fs.ValidPath(name) {
			return fmt.Errorf("%q is not a path within the folder", name)
		}
		full := path.Join(dir, name)
		if err := w.root.MkdirAll(path.Dir(full), 0o755); err != nil {
			return err
		}
		if err := w.write(full, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// temporaryFile is the name of a file while it is written. It has a fixed length, so that any name
// that the file system takes can be written.
const temporaryFile = ".coalmine.tmp"

// write replaces a file atomically: a reader sees the old or the new contents.
func (w *Writer) write(name string, data []byte) error {
	temporary := path.Join(path.Dir(name), temporaryFile)
	if err := w.root.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return w.root.Rename(temporary, name)
}

// Log creates the log of a run.
func (w *Writer) Log(run Run) (*Log, error) {
	if err := w.root.MkdirAll(path.Dir(run.eventsPath()), 0o755); err != nil {
		return nil, fmt.Errorf("record %s: %w", run.Name(), err)
	}
	f, err := w.root.OpenFile(run.eventsPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", run.Name(), err)
	}
	sum := sha256.New()
	return &Log{Writer: event.NewWriter(io.MultiWriter(f, sum)), file: f, sum: sum, folder: w, name: run.Name()}, nil
}

// Dir returns the path of the folder.
func (w *Writer) Dir() string { return w.root.Name() }

// Seal adds the evidence of the trial to the manifest, and the results of the check seeds, if they
// were played. The digests of the logs are those of the logs that were written and closed; the
// seeds are those of the runs.
func (w *Writer) Seal(e Evidence, check []CheckSeed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Seeds, e.Logs = Seeds(w.manifest.Runs), maps.Clone(w.logs)
	m := w.manifest
	m.Evidence, m.Check = &e, check
	if err := errors.Join(m.validate(), w.writeManifest(m)); err != nil {
		return fmt.Errorf("write %s: %w", fileManifest, err)
	}
	return nil
}

// Card writes the score card as JSON and as text, replacing an earlier one.
func (w *Writer) Card(asJSON, asText []byte) error {
	if err := w.write(fileCardJSON, asJSON); err != nil {
		return fmt.Errorf("write the card: %w", err)
	}
	if err := w.write(fileCardText, asText); err != nil {
		return fmt.Errorf("write the card: %w", err)
	}
	return nil
}

// Reports writes the report and the draft postmortem, replacing earlier ones.
func (w *Writer) Reports(page, postmortem []byte) error {
	if err := w.write(fileReport, page); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := w.write(filePostmortem, postmortem); err != nil {
		return fmt.Errorf("write the postmortem: %w", err)
	}
	return nil
}

// Close closes the folder.
func (w *Writer) Close() error { return w.root.Close() }

// Log is the log of one run.
type Log struct {
	*event.Writer
	file io.Closer

	sum    hash.Hash
	folder *Writer
	name   string
}

// Close flushes and closes the log. It returns the first error of all writes.
func (l *Log) Close() error {
	err := errors.Join(l.Writer.Close(), l.file.Close())
	l.folder.mu.Lock()
	defer l.folder.mu.Unlock()
	l.folder.logs[l.name] = hex.EncodeToString(l.sum.Sum(nil))
	return err
}
