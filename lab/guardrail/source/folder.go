package source

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"coalmine/lab/guardrail"
)

// Limits of a Kustomization. Kustomize reads a base once for each time that it is referred to, so
// that a few files can ask for very many.
const (
	maxReads     = 2000
	maxReadBytes = 16 << 20
)

// folderFS shows kustomize a folder, which it cannot leave or change, as the root of a file system.
// Every Kustomization is checked as it is read.
type folderFS struct {
	root *os.Root
	// top is the Kustomization that is built.
	top          string
	reads, bytes int
	// problem is the first error about the input. Kustomize buries it in errors of its own.
	problem error
}

var errReadOnly = errors.New("the folder is read only")

func local(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return "."
	}
	return name
}

// fail keeps the first error about the input.
func (f *folderFS) fail(name, message, hint string) error {
	err := invalid(f.shown(name), message, hint)
	if f.problem == nil {
		f.problem = err
	}
	return err
}

// shown returns a name relative to the folder of the Kustomization, in which findings start.
func (f *folderFS) shown(name string) string {
	rel, err := filepath.Rel(path.Dir("/"+local(f.top)), "/"+local(name))
	if err != nil {
		return local(name)
	}
	return filepath.ToSlash(rel)
}

func (f *folderFS) ReadFile(name string) ([]byte, error) {
	if f.reads++; f.reads > maxReads {
		return nil, f.fail(name, fmt.Sprintf("the Kustomization reads more than %d files", maxReads),
			"refer to fewer resources")
	}
	data, err := guardrail.ReadRegular(f.root, local(name))
	if isLimit(err) && f.problem == nil {
		f.problem = err
	}
	if err != nil {
		return nil, err
	}
	if f.bytes += len(data); f.bytes > maxReadBytes {
		return nil, f.fail(name, fmt.Sprintf("the Kustomization reads more than %d bytes", maxReadBytes),
			"refer to fewer resources")
	}
	return f.inspect(name, data)
}

// inspect checks a file before kustomize sees it.
func (f *folderFS) inspect(name string, data []byte) ([]byte, error) {
	base := path.Base(local(name))
	isKustomization := slices.Contains(kustomizationNames(), base)
	if !isKustomization && !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(base)) {
		return data, nil
	}
	documents, err := guardrail.Documents(f.shown(name), data)
	if err != nil {
		if f.problem == nil {
			f.problem = err
		}
		return nil, err
	}
	if !isKustomization {
		return data, nil
	}
	for _, d := range documents {
		if message, hint := refusedReference(d, ""); message != "" {
			return nil, f.fail(name, message, hint)
		}
	}
	if local(name) == local(f.top) {
		return withOrigins(documents, data)
	}
	return data, nil
}

func (f *folderFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	info, err := f.root.Stat(local(name))
	if err != nil {
		return "", "", err
	}
	full := path.Join("/", local(name))
	if info.IsDir() {
		return filesys.ConfirmedDir(full), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(full)), path.Base(full), nil
}

func (f *folderFS) Exists(name string) bool {
	_, err := f.root.Stat(local(name))
	return err == nil
}

func (f *folderFS) IsDir(name string) bool {
	info, err := f.root.Stat(local(name))
	return err == nil && info.IsDir()
}

func (f *folderFS) ReadDir(name string) ([]string, error) {
	dir, err := f.root.Open(local(name))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(guardrail.MaxEntries)
}

func (f *folderFS) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (f *folderFS) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (f *folderFS) Mkdir(string) error                   { return errReadOnly }
func (f *folderFS) MkdirAll(string) error                { return errReadOnly }
func (f *folderFS) RemoveAll(string) error               { return errReadOnly }
func (f *folderFS) WriteFile(string, []byte) error       { return errReadOnly }
func (f *folderFS) Glob(string) ([]string, error)        { return nil, errReadOnly }
func (f *folderFS) Walk(string, filepath.WalkFunc) error { return errReadOnly }
