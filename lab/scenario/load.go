package scenario

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"coalmine/lab/scenario/v1alpha1"
)

// Load reads and validates the scenario of a folder, and the access log that it replays. If the
// scenario is invalid, the error is of type [Problems].
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

// parse decodes and validates a scenario; name is the name of the file, for errors. It does not
// read an access log that the scenario replays, which is needed to plan its traffic. The error is
// of type [Problems].
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

// locate adds file and line to findings.
func locate(name string, findings []finding, positions v1alpha1.Positions) Problems {
	var problems Problems
	for _, f := range findings {
		path := wirePath(f.path)
		problems = append(problems, Problem{
			File: name, Line: positions.Line(path...), Field: path.String(), Message: f.message,
		})
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
