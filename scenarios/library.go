package scenarios

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

//go:generate go run ./schemagen .. .
//go:embed */*.yaml */*.md */*/*.yaml
var library embed.FS

// Library returns the scenarios that come with the binary: one folder for each, named as the scenario.
func Library() fs.FS { return library }

// Open returns the folder of a scenario of a library. A name that is not there is an error that is [fs.ErrNotExist].
func Open(fsys fs.FS, name string) (*Folder, error) {
	if !IsLabel(name) || !holdsScenario(fsys, name) {
		return nil, fmt.Errorf("there is no scenario %q in the library: %w", name, fs.ErrNotExist)
	}
	return &Folder{fsys: fsys, dir: name}, nil
}

// List loads every scenario of a library, ordered by topic, level and name.
func List(fsys fs.FS) ([]*Scenario, error) {
	names, err := Names(fsys)
	if err != nil {
		return nil, err
	}
	var all []*Scenario
	for _, name := range names {
		s, err := Load(fsys, name)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Scenario) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// Names lists the scenarios of a library without loading them, sorted.
func Names(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && holdsScenario(fsys, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func holdsScenario(fsys fs.FS, dir string) bool {
	_, err := fs.Stat(fsys, dir+"/"+FileScenario)
	return err == nil
}
