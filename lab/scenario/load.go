package scenario

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"coalmine/lab/scenario/v1alpha1"
)

// Load reads and checks the scenario of a folder, and the access log that it replays. Its error is of type [Problems] where
// the scenario is at fault.
func Load(fsys fs.FS, dir string) (*Scenario, error) {
	name := path.Join(dir, FileScenario)
	data, err := readFile(fsys, name, maxFile)
	if err != nil {
		return nil, err
	}
	s, d, err := parse(name, data)
	if err != nil || s.Traffic.Replay == nil {
		return s, err
	}
	if err := s.loadLog(fsys, dir); err != nil {
		at := wirePath(fieldPath{"traffic", "replay", "log"})
		return nil, Problems{{File: name, Line: d.Line(at...), Field: at.String(), Message: err.Error()}}
	}
	return s, nil
}

// Parse decodes and checks a scenario; name is the file's, for errors. An access log that it replays is not read, without which
// no plan can be made of its traffic: see [Load]. The error is of type [Problems].
func Parse(name string, data []byte) (*Scenario, error) {
	s, _, err := parse(name, data)
	return s, err
}

func parse(name string, data []byte) (*Scenario, *v1alpha1.Document, error) {
	d, err := v1alpha1.Decode(data)
	if err != nil {
		return nil, nil, decodeProblems(name, err)
	}
	s := fromV1alpha1(&d.Scenario)
	s.Source = data
	if problems := locate(name, validate(s), d.Positions); len(problems) > 0 {
		return nil, nil, problems
	}
	return s, d, nil
}

// locate says where in a file things are wrong.
func locate(name string, all []finding, places v1alpha1.Positions) Problems {
	var problems Problems
	for _, f := range all {
		at := wirePath(f.path)
		problems = append(problems, Problem{File: name, Line: places.Line(at...), Field: at.String(), Message: f.message})
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return problems
}

func decodeProblems(name string, err error) error {
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
