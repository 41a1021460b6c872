package scenarios

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"coalmine/scenarios/v1alpha1"
)

// Load reads and checks the scenario of a folder. Its error is of type [Problems] where the scenario is at fault.
func Load(fsys fs.FS, dir string) (*Scenario, error) {
	name := path.Join(dir, FileScenario)
	data, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// Parse decodes and checks a scenario; name is the file's, for errors. Its error is of type [Problems].
func Parse(name string, data []byte) (*Scenario, error) {
	d, err := v1alpha1.Decode(data)
	if err != nil {
		return nil, undecodable(name, err)
	}
	s := fromV1alpha1(&d.Scenario)
	var problems Problems
	for _, f := range problemsOf(s) {
		at := inV1alpha1(f.at)
		problems = append(problems, Problem{File: name, Line: d.Line(at...), Field: at.String(), Message: f.message})
	}
	if len(problems) == 0 {
		return s, nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return nil, problems
}

func undecodable(name string, err error) error {
	var findings v1alpha1.Findings
	if !errors.As(err, &findings) {
		return Problems{{File: name, Message: err.Error()}}
	}
	var problems Problems
	for _, f := range findings {
		problems = append(problems, Problem{File: name, Line: f.Line, Message: f.Message})
	}
	return problems
}
