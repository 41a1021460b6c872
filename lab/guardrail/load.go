package guardrail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input"
)

// Input is what guardrails are parsed from.
type Input struct {
	// Files are the manifests by path.
	Files map[string][]byte
	// Origins say for files that were built from others where each of their documents comes from.
	Origins map[string][]Origin
	// Notes say how the files were read.
	Notes []Finding
}

// Origin is where a document comes from: a file, and the document in it if it is known.
type Origin struct {
	File     string
	Document *yaml.Node
}

// ParseInput is Parse with a limit of time.
func ParseInput(ctx context.Context, in Input, env Environment) (*Set, error) {
	return parseWithin(ctx, MaxParseTime, func() (*Set, error) { return parseInput(in, env) })
}

// parseWithin returns what parse returns, or an error if ctx ends or the time is over before. The
// limits of the input should keep that from happening; parse is then left behind.
func parseWithin(ctx context.Context, limit time.Duration, parse func() (*Set, error)) (*Set, error) {
	type result struct {
		set *Set
		err error
	}
	done := make(chan result, 1)
	go func() {
		set, err := parse()
		done <- result{set, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.set, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("checking the guardrails: %w", context.Cause(ctx))
	case <-timer.C:
		return nil, Errors{tooMany(fmt.Sprintf("checking the manifests takes longer than %v", limit))}
	}
}

// ReadFiles reads the manifests at path: one file, or all files of a folder named *.yaml, *.yml or
// *.json that are not hidden, and nothing outside of it, even if it contains symbolic links. Errors
// in the input are of type Errors; other errors come from the file system or the context.
func ReadFiles(ctx context.Context, path string) (map[string][]byte, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("%w; give a folder of manifests or one YAML file", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; give a folder of manifests or one YAML file", err)
	}
	dir, name := path, ""
	if !info.IsDir() {
		dir, name = filepath.Split(filepath.Clean(path))
		if dir == "" {
			dir = "."
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the guardrails: %w", err)
	}
	defer root.Close()
	w := &walker{root: root, files: make(map[string][]byte)}
	if name == "" {
		return w.files, w.walk(ctx)
	}
	if !IsManifest(name) {
		return nil, Errors{{
			Position: Position{File: name}, Message: "is not a manifest",
			Hint: "give a .yaml, .yml or .json file, or a folder",
		}}
	}
	return w.files, w.result(w.read(name))
}

const oneExercise = "give the folder of one exercise's guardrails"

// IsManifest reports whether a file is a manifest, by its name.
func IsManifest(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(path.Ext(name)))
}

// walker collects the manifests below a root, which it cannot leave.
type walker struct {
	root     *os.Root
	files    map[string][]byte
	findings []Finding
	entries  int
	total    int
}

func (w *walker) fail(name, message, hint string) {
	w.findings = append(w.findings, Finding{Position: Position{File: name}, Message: message, Hint: hint})
}

// result returns err, or the findings if there was no other error.
func (w *walker) result(err error) error {
	if err != nil && !errors.Is(err, errLimit) {
		return err
	}
	return asError(w.findings)
}

func (w *walker) walk(ctx context.Context) error {
	return w.result(w.walkFolder(ctx, ".", 0))
}

// walkFolder visits the entries of a folder in order of their names.
func (w *walker) walkFolder(ctx context.Context, name string, depth int) error {
	if depth > MaxFolderDepth {
		w.fail(name, fmt.Sprintf("folders nest deeper than %d levels", MaxFolderDepth), "move the manifests up")
		return nil
	}
	entries, err := w.readDir(name)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading the guardrails: %w", err)
		}
		if err := w.visit(ctx, path.Join(name, e.Name()), e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) readDir(name string) ([]fs.DirEntry, error) {
	f, err := w.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening folder %s: %w", name, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(MaxEntries - w.entries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading folder %s: %w", name, err)
	}
	w.entries += len(entries)
	if w.entries > MaxEntries {
		w.fail(name, fmt.Sprintf("more than %d files and folders", MaxEntries), oneExercise)
		return nil, errLimit
	}
	return entries, nil
}

func (w *walker) visit(ctx context.Context, name string, e fs.DirEntry, depth int) error {
	switch {
	case strings.HasPrefix(e.Name(), "."):
		return nil
	case e.IsDir():
		return w.walkFolder(ctx, name, depth+1)
	case !IsManifest(name):
		return nil
	case len(w.files) >= MaxFiles:
		w.fail(name, fmt.Sprintf("more than %d manifests", MaxFiles), oneExercise)
		return errLimit
	}
	return w.read(name)
}

// read reads one manifest. It follows a symbolic link that stays inside the folder.
func (w *walker) read(name string) error {
	info, err := w.root.Stat(name)
	switch {
	case err != nil && isSymlink(w.root, name):
		w.fail(name, "the symbolic link leads out of the folder, or to nothing", "replace it by the file itself")
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", name, err)
	case !info.Mode().IsRegular():
		w.fail(name, "is not a regular file", "replace it by a regular file")
		return nil
	case info.Size() > MaxFileSize:
		w.fail(name, fmt.Sprintf("the file is larger than %d bytes", MaxFileSize),
			"split it, or remove what is not a manifest")
		return nil
	}
	return w.readFile(name)
}

// isSymlink reports whether name is a symbolic link.
func isSymlink(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func (w *walker) readFile(name string) error {
	data, err := ReadRegular(w.root, name)
	var problems Errors
	switch {
	case errors.As(err, &problems):
		w.findings = append(w.findings, problems...)
		return nil
	case err != nil:
		return err
	}
	w.total += len(data)
	if w.total > MaxTotalSize {
		w.fail(name, fmt.Sprintf("the manifests are larger than %d bytes in total", MaxTotalSize), oneExercise)
		return errLimit
	}
	w.files[name] = data
	return nil
}

// ReadRegular reads a regular file of at most MaxFileSize bytes; other files are errors of type
// Errors. It opens the file without blocking and checks it again: since it was listed, it may have
// grown or been replaced by a pipe.
func ReadRegular(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|input.NonBlocking, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return nil, Errors{{Position: Position{File: name}, Message: "is not a regular file",
			Hint: "replace it by a regular file"}}
	case info.Size() > MaxFileSize:
		return nil, Errors{tooLarge(name)}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

func tooLarge(name string) Finding {
	return Finding{Position: Position{File: name},
		Message: fmt.Sprintf("the file is larger than %d bytes", MaxFileSize),
		Hint:    "split it, or remove what is not a manifest"}
}
