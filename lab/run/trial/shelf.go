package trial

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// maxShelf bounds the entries of a folder of scenarios.
const maxShelf = 1000

// Shelves are all scenarios that can be named: those of the library, and those in folders of the
// user's, one subfolder for each. A name of the library is that of the library.
type Shelves struct {
	// Base is where relative paths start, Dirs are the folders.
	Base string
	Dirs []string
}

// Find returns the path of a scenario of the folders, or the name as it is.
func (s Shelves) Find(name string) string {
	if dir := s.find(name); dir != "" {
		return dir
	}
	return name
}

// find returns the path of a scenario of the folders, or "".
func (s Shelves) find(name string) string {
	if !scenario.IsLabel(name) || InLibrary(name) {
		return ""
	}
	for _, dir := range s.Dirs {
		path := filepath.Join(resolve(s.Base, dir), name)
		if _, err := os.Stat(filepath.Join(path, scenario.FileScenario)); err == nil {
			return path
		}
	}
	return ""
}

// InLibrary reports whether the library has a scenario of that name.
func InLibrary(name string) bool {
	_, err := scenario.Open(scenarios.Library(), name)
	return err == nil
}

// Open is [Open] for a name that may also be one of the folders.
func (s Shelves) Open(name string) (*Source, error) {
	path := s.find(name)
	if path == "" {
		return Open(s.Base, name)
	}
	src, err := Open(s.Base, path)
	if err != nil {
		return nil, err
	}
	if src.Scenario.Name != name {
		return nil, errors.Join(misnamed(path, src.Scenario.Name), src.Close())
	}
	src.Listed = true
	return src, nil
}

func misnamed(path, name string) error {
	return input.New("give the folder the same name", "%s: metadata.name is %q, and the folder is called %s",
		filepath.Join(path, scenario.FileScenario), name, filepath.Base(path))
}

// Names returns the names of all scenarios, those of the library first. The error says what of the
// folders cannot be used; the names are complete without it.
func (s Shelves) Names() ([]string, error) {
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, dir := range s.Dirs {
		own, err := namesIn(resolve(s.Base, dir))
		problems = append(problems, err)
		for _, name := range own {
			if slices.Contains(names, name) {
				problems = append(problems, input.New("give it another name", "%s: there is another scenario %s",
					filepath.Join(dir, name), name))
				continue
			}
			names = append(names, name)
		}
	}
	return names, errors.Join(problems...)
}

// namesIn returns the names of the subfolders with a scenario.
func namesIn(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, scenario.FileScenario)); err == nil {
		return nil, input.New("name the folder that it is in", "%s is a scenario and not a folder of scenarios", dir)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, input.New("name a folder with a subfolder for each scenario", "the scenarios: %w", err)
	}
	defer f.Close()
	entries, err := f.ReadDir(maxShelf + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, input.New("name a folder with a subfolder for each scenario", "the scenarios: %w", err)
	case len(entries) > maxShelf:
		return nil, input.New("name the folder that holds scenarios only", "%s has over %d entries", dir, maxShelf)
	}
	var names []string
	for _, e := range entries {
		_, err := os.Stat(filepath.Join(dir, e.Name(), scenario.FileScenario))
		if scenario.IsLabel(e.Name()) && err == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// List loads all scenarios, ordered by topic, level and name. The error says what of the folders
// cannot be used; the list has all others.
func (s Shelves) List() ([]*scenario.Scenario, error) {
	all, err := scenario.List(scenarios.Library())
	if err != nil || len(s.Dirs) == 0 {
		return all, err
	}
	names, err := s.Names()
	problems := []error{err}
	for _, name := range names {
		if InLibrary(name) {
			continue
		}
		src, err := s.Open(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, src.Scenario)
		problems = append(problems, src.Close())
	}
	scenario.Sort(all)
	return all, errors.Join(problems...)
}
