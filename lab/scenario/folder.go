package scenario

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/lab/input"
)

// Limits of what is read: an untrusted scenario must not exhaust memory.
const (
	maxFile  = 1 << 20
	maxFiles = 100
	maxTotal = 4 << 20
	maxDepth = 8
)

// Names of files in a scenario's folder.
const (
	FileScenario = "scenario.yaml"
	FileBriefing = "briefing.md"
	FileQuiz     = "quiz.yaml"
)

// Variants of guardrails with a special meaning.
const (
	// Starter is what a learner starts with.
	Starter = "starter"
	// Solution is the author's solution, the reference for learners' guardrails.
	Solution = "solution"
)

// Folder is a scenario's folder: its description, texts, and variants of guardrails in subfolders.
type Folder struct {
	fsys fs.FS
	dir  string
	// root is nil for a folder of a library.
	root *os.Root
}

// OpenFolder opens a scenario's folder on disk. What is read from it is limited in size, and links
// cannot lead out of it. The caller must close it.
func OpenFolder(dir string) (*Folder, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open scenario: %w", err)
	}
	return &Folder{fsys: root.FS(), dir: ".", root: root}, nil
}

// Close releases the resources of [OpenFolder].
func (f *Folder) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// OnDisk reports whether the folder was opened by [OpenFolder] and is not part of a library.
func (f *Folder) OnDisk() bool { return f.root != nil }

// Load reads and validates the scenario.
func (f *Folder) Load() (*Scenario, error) {
	s, err := Load(f.fsys, f.dir)
	var problems Problems
	if f.root != nil && errors.As(err, &problems) {
		for i := range problems {
			problems[i].File = filepath.Join(f.root.Name(), problems[i].File)
		}
	}
	return s, err
}

// Text returns a file of the folder, such as [FileBriefing]. If the file is missing, the error is
// [fs.ErrNotExist].
func (f *Folder) Text(name string) ([]byte, error) {
	return readFile(f.fsys, path.Join(f.dir, name), maxFile)
}

// Variants returns the names of the subfolders with guardrails, sorted.
func (f *Folder) Variants() ([]string, error) {
	entries, err := fs.ReadDir(f.fsys, f.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && IsLabel(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Files returns the manifests of a variant, by path relative to its subfolder.
func (f *Folder) Files(variant string) (map[string][]byte, error) {
	if !IsLabel(variant) {
		return nil, fmt.Errorf("%q is not a variant of guardrails: %w", variant, fs.ErrNotExist)
	}
	return readTree(f.fsys, path.Join(f.dir, variant))
}

// readTree reads all manifests below a folder.
func readTree(fsys fs.FS, dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	total := 0
	err := fs.WalkDir(fsys, dir, func(name string, e fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.Count(rel, "/") >= maxDepth:
			return fmt.Errorf("%s: folders are nested over %d deep", name, maxDepth)
		case e.IsDir() || !isManifest(name):
			return nil
		}
		data, err := readFile(fsys, name, maxFile)
		if err != nil {
			return err
		}
		files[rel] = data
		if total += len(data); total > maxTotal || len(files) > maxFiles {
			return fmt.Errorf("%s: there are over %d manifests or over %d MiB of them", dir, maxFiles, maxTotal>>20)
		}
		return nil
	})
	return files, err
}

func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, path.Ext(name))
}

// readFile reads a regular file of at most limit bytes.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, Problems{{File: name, Message: "is not a regular file"}}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, Problems{{File: name, Message: fmt.Sprintf("is over %d KiB", limit>>10)}}
	}
	return data, nil
}
