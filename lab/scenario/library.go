package scenario

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Open returns the folder of a scenario of a library. If there is none of that name, the error is
// [fs.ErrNotExist].
func Open(fsys fs.FS, name string) (*Folder, error) {
	if !IsLabel(name) || !hasScenario(fsys, name) {
		return nil, fmt.Errorf("there is no scenario %q in the library: %w", name, fs.ErrNotExist)
	}
	return &Folder{fsys: fsys, dir: name}, nil
}

// List loads every scenario of a library in the order of [Sort].
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
	Sort(all)
	return all, nil
}

// Sort orders scenarios by topic, level and name. Topics are in the order of their easiest scenario,
// so that a list starts with what beginners need.
func Sort(all []*Scenario) {
	easiest := map[string]int{}
	for _, s := range all {
		if level, ok := easiest[s.Topic]; !ok || s.Level < level {
			easiest[s.Topic] = s.Level
		}
	}
	slices.SortFunc(all, func(a, b *Scenario) int {
		return cmp.Or(cmp.Compare(easiest[a.Topic], easiest[b.Topic]), cmp.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
	})
}

// Names returns the names of a library's scenarios, sorted, without loading them.
func Names(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && hasScenario(fsys, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func hasScenario(fsys fs.FS, dir string) bool {
	_, err := fs.Stat(fsys, dir+"/"+FileScenario)
	return err == nil
}

// Next returns the name of the easiest scenario that is not solved, the first one of several in the
// order of [Sort], or "" if all are.
func Next(all []*Scenario, solved func(name string) bool) string {
	sorted := slices.Clone(all)
	Sort(sorted)
	var next *Scenario
	for _, s := range sorted {
		if !solved(s.Name) && (next == nil || s.Level < next.Level) {
			next = s
		}
	}
	if next == nil {
		return ""
	}
	return next.Name
}
