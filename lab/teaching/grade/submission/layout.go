package submission

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Names in a folder that coalmine made.
const (
	runManifest   = "run.json"
	runGuardrails = "guardrails"
	scenarioFile  = "scenario.yaml"
)

// Guardrails picks the manifests for a scenario from those of a submission: the folder with the
// scenario's name, or, if alone is set, everything. Of a run folder they are its guardrails. The
// result is empty if the submission has nothing for the scenario. A scenario that was handed in is
// left out: what is played is the instructor's.
func Guardrails(files map[string][]byte, scenario string, alone bool) (map[string][]byte, error) {
	dirs := foldersOf(files, scenario)
	picked := map[string][]byte{}
	switch {
	case len(dirs) > 1:
		return nil, refuse("there are several folders %s: %s", scenario, strings.Join(dirs, ", "))
	case len(dirs) == 1:
		picked = below(files, dirs[0])
	case alone:
		picked = files
	}
	return withoutScenario(ofRunFolder(picked))
}

// foldersOf lists the uppermost folders with a name.
func foldersOf(files map[string][]byte, name string) []string {
	var found []string
	for file := range files {
		parts := strings.Split(path.Dir(file), "/")
		if i := slices.Index(parts, name); i >= 0 {
			found = append(found, path.Join(parts[:i+1]...))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// below returns the files in a folder, by their path in it.
func below(files map[string][]byte, dir string) map[string][]byte {
	picked := map[string][]byte{}
	for name, data := range files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			picked[rest] = data
		}
	}
	return picked
}

// ofRunFolder returns the guardrails of a run folder, or all files if they are none.
func ofRunFolder(files map[string][]byte) (map[string][]byte, error) {
	var found []string
	for name := range files {
		if path.Base(name) != runManifest {
			continue
		}
		if dir := path.Join(path.Dir(name), runGuardrails); len(below(files, dir)) > 0 {
			found = append(found, dir)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return files, nil
	case 1:
		return below(files, found[0]), nil
	}
	return nil, refuse("there are several run folders: %s", strings.Join(found, ", "))
}

func withoutScenario(files map[string][]byte, err error) (map[string][]byte, error) {
	if err != nil {
		return nil, err
	}
	picked := map[string][]byte{}
	for name, data := range files {
		if path.Base(name) == scenarioFile && bytes.Contains(data, []byte("kind: Scenario")) {
			continue
		}
		picked[name] = data
	}
	return picked, nil
}
