// Package bundle packs an exam for platforms that run a grader of the instructor's: the program, the
// scenarios without their solutions, the seed file, and the few lines that the platform calls.
package bundle

import (
	"archive/zip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
)

// Platforms that a bundle can be for.
const (
	Gradescope   = "gradescope"
	Classroom50  = "classroom50"
	GitHubAction = "github-action"
)

// Platforms lists them.
func Platforms() []string { return []string{Gradescope, Classroom50, GitHubAction} }

//go:embed files
var files embed.FS

// Options of a bundle.
type Options struct {
	For     string
	Sources []*trial.Source
	// SeedFile is the content of the seed file. A bundle for GitHub has none: there it is a secret.
	SeedFile        []byte
	Seeds, Practice int
	// Program is the path of the program for the platform.
	Program string
	// Out is a zip archive for Gradescope, and a new folder for the others.
	Out string
}

// parameters are what the files of a platform are filled with.
type parameters struct {
	Scenarios string // paths in the bundle, separated by commas
	Dir       string // of the bundle's files on the platform
	Seeds     int
	Practice  int
}

// Write writes a bundle and returns the names of its files.
func Write(o Options) ([]string, error) {
	if !slices.Contains(Platforms(), o.For) {
		return nil, input.New("write one of "+strings.Join(Platforms(), ", "), "--for is %q", o.For)
	}
	all, err := o.content()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		names = append(names, e.name)
	}
	if o.For == Gradescope {
		return names, writeZip(o.Out, all)
	}
	return names, writeFolder(o.Out, all)
}

// entry is a file of a bundle.
type entry struct {
	name    string
	data    []byte
	from    string // a file on disk, in place of data
	program bool
}

// content lists the files of the bundle.
func (o Options) content() ([]entry, error) {
	dir := map[string]string{Gradescope: "", Classroom50: "", GitHubAction: ".github/coalmine"}[o.For]
	p := parameters{Dir: dir, Seeds: o.Seeds, Practice: o.Practice}
	var all []entry
	var paths []string
	for _, src := range o.Sources {
		base := path.Join(dir, "exam", src.Scenario.Name)
		paths = append(paths, path.Join("exam", src.Scenario.Name))
		pack, err := examPack(src)
		if err != nil {
			return nil, err
		}
		for name, data := range pack {
			all = append(all, entry{name: path.Join(base, name), data: data})
		}
	}
	p.Scenarios = strings.Join(paths, ",")
	if o.For != GitHubAction {
		all = append(all, entry{name: "seeds", data: o.SeedFile},
			entry{name: "coalmine", from: o.Program, program: true})
	}
	err := fs.WalkDir(files, path.Join("files", o.For), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		e, err := fill(name, o.For, p)
		all = append(all, e)
		return err
	})
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all, err
}

// fill fills a file of a platform. Its delimiters are << and >>, which neither shell nor GitHub
// uses.
func fill(name, platform string, p parameters) (entry, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return entry{}, err
	}
	rel := strings.TrimSuffix(strings.TrimPrefix(name, path.Join("files", platform)+"/"), ".tmpl")
	rel = strings.Replace(rel, "github/", ".github/", 1)
	t, err := template.New(rel).Delims("<<", ">>").Parse(string(text))
	if err != nil {
		return entry{}, err
	}
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		return entry{}, err
	}
	return entry{name: rel, data: []byte(b.String()), program: strings.HasPrefix(b.String(), "#!")}, nil
}

// examPack returns what grading needs of a scenario: neither its solution nor any other guardrails
// but the starter, which learners have.
func examPack(src *trial.Source) (map[string][]byte, error) {
	pack := map[string][]byte{}
	for _, name := range []string{scenario.FileScenario, scenario.FileBriefing} {
		data, err := src.Text(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		pack[name] = data
	}
	if log := src.Scenario.LogName(); log != "" {
		pack[log] = src.Scenario.Log
	}
	starter, err := src.Files(scenario.Starter)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for name, data := range starter {
		pack[path.Join(scenario.Starter, name)] = data
	}
	return pack, nil
}

func (e entry) open() (io.ReadCloser, error) {
	if e.from != "" {
		return os.Open(e.from)
	}
	return io.NopCloser(strings.NewReader(string(e.data))), nil
}

func (e entry) mode() fs.FileMode {
	if e.program {
		return 0o755
	}
	return 0o644
}

// writeZip writes an archive whose bytes depend on its content only.
func writeZip(name string, all []entry) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return input.New("name a new file with -o", "%w", err)
	}
	w := zip.NewWriter(f)
	err = errors.Join(zipAll(w, all), w.Close(), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(name))
	}
	return nil
}

func zipAll(w *zip.Writer, all []entry) error {
	for _, e := range all {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(e.mode())
		to, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if err := e.copy(to); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) copy(to io.Writer) error {
	from, err := e.open()
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close())
}

func writeFolder(dir string, all []entry) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return input.New("name a new folder with -o", "%s is not empty", dir)
	}
	for _, e := range all {
		name := filepath.Join(dir, filepath.FromSlash(e.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return input.New("name a folder that can be written with -o", "%w", err)
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.mode())
		if err != nil {
			return err
		}
		if err := errors.Join(e.copy(f), f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
