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
)

// Limits of what is read: a scenario from elsewhere must not fill the memory.
const (
	maxFile  = 1 << 20
	maxFiles = 100
	maxTotal = 4 << 20
	maxDepth = 8
)

// Names of the files of a scenario's folder.
const (
	FileScenario = "scenario.yaml"
	FileBriefing = "briefing.md"
	FileQuiz     = "quiz.yaml"
)

// Variants of guardrails that have a meaning of their own.
const (
	// Starter is what a learner begins with.
	Starter = "starter"
	// Solution is the author's own answer, which a learner's is compared with.
	Solution = "solution"
)

// Folder is where a scenario is kept: its description, the texts around it, and variants of guardrails in folders.
type Folder struct {
	fsys fs.FS
	dir  string
	// root is open for a folder on disk.
	root *os.Root
}

// OpenFolder opens a scenario's folder on disk. What it holds is bounded in size, and links cannot lead out of it.
// Close it after use.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open scenario: %w", err)
	}
	return &Folder{fsys: root.FS(), dir: ".", root: root}, nil
}

// Close frees what [OpenFolder] took.
func (f *Folder) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// OnDisk tells whether the scenario is no part of a library.
func (f *Folder) OnDisk() bool { return f.root != nil }

// Load reads and checks the scenario.
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

// Text returns one of the folder's own files, such as [FileBriefing]. A missing file is an error that is [fs.ErrNotExist].
func (f *Folder) Text(name string) ([]byte, error) {
	return readFile(f.fsys, path.Join(f.dir, name), maxFile)
}

// Variants lists the folders of guardrails, sorted by name.
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

// Files returns the manifests of a variant by path relative to its folder.
func (f *Folder) Files(variant string) (map[string][]byte, error) {
	if !IsLabel(variant) {
		return nil, fmt.Errorf("%q is no variant of guardrails: %w", variant, fs.ErrNotExist)
	}
	return readTree(f.fsys, path.Join(f.dir, variant))
}

// readTree reads every manifest below a folder.
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

// readFile reads a regular file of bounded size.
func readFile(fsys fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: is over %d KiB", name, most>>10)
	}
	return data, nil
}
