package trial

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/source"
	"coalmine/lab/input"
	"coalmine/lab/input/spelling"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// Source is a scenario and the folder it was read from. Close it after use.
type Source struct {
	*scenario.Folder
	Scenario *scenario.Scenario
	// Map maps names in guardrails to those of the scenario.
	Map []guardrail.NameRule
	// Reader says how guardrails are read.
	Reader source.Options
	// Listed is set for a scenario of a folder of scenarios, which has its place in lists and in a
	// learner's progress as one of the library.
	Listed bool
}

// Open finds a scenario by its name in the library, or by the path of its folder. Relative paths
// start from base.
func Open(base, name string) (*Source, error) {
	folder, err := scenario.Open(scenarios.Library(), name)
	if errors.Is(err, fs.ErrNotExist) {
		folder, err = openFolder(base, name)
	}
	if err != nil {
		return nil, err
	}
	s, err := folder.Load()
	if err == nil {
		err = checkRubric(name, s)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return &Source{Folder: folder, Scenario: s}, nil
}

func openFolder(base, name string) (*scenario.Folder, error) {
	dir := resolve(base, name)
	if _, err := os.Stat(filepath.Join(dir, scenario.FileScenario)); err != nil {
		names, _ := scenario.Names(scenarios.Library()) // an embedded folder can be listed
		hint := "the library has " + strings.Join(names, ", ") + "; a path must be that of a folder with " +
			scenario.FileScenario
		if near := spelling.Nearest(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, input.New(hint, "there is no scenario %q", name)
	}
	folder, err := scenario.OpenFolder(dir)
	if err != nil {
		return nil, input.New("", "%w", err)
	}
	return folder, nil
}

func resolve(base, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(base, name)
}

func checkRubric(name string, s *scenario.Scenario) error {
	if err := score.ValidateRubric(s.Rubric); err != nil {
		return input.New("", "%s: %w", filepath.Join(name, scenario.FileScenario), err)
	}
	return nil
}

// LoadGuardrails reads guardrails from a path, or from the scenario's variant of that name if there
// is no such path. The second result is the variant's name, or "" for a path.
func (s *Source) LoadGuardrails(ctx context.Context, base, name string) (*guardrail.Set, string, error) {
	path := name
	if name != source.Stdin {
		path = resolve(base, name)
	}
	env := guardrail.EnvironmentOf(s.Scenario)
	env.Map = s.Map
	if _, err := os.Stat(path); err == nil || name == source.Stdin {
		set, err := source.Load(ctx, path, env, s.Reader)
		return set, "", PrefixFindings(source.Folder(path), err)
	}
	files, err := s.Files(name)
	if errors.Is(err, fs.ErrNotExist) {
		variants, _ := s.Variants() // only for the hint
		hint := "write a folder or a file; the scenario has no guardrails of its own"
		if len(variants) > 0 {
			hint = "write a folder, or one of the scenario's own: " + strings.Join(variants, ", ")
		}
		return nil, "", input.New(hint, "there are no guardrails %q", name)
	}
	if err != nil {
		return nil, "", err
	}
	set, err := guardrail.Parse(files, env)
	return set, name, PrefixFindings(s.Scenario.Name+"/"+name, err)
}

// reference loads the scenario's own solution; nil if it has none.
func (s *Source) reference() (*guardrail.Set, error) {
	files, err := s.Files(scenario.Solution)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(s.Scenario))
	return set, PrefixFindings(s.Scenario.Name+"/"+scenario.Solution, err)
}

// recordedFiles are the files of the scenario that a run folder keeps: what its score and its
// reports need.
func (s *Source) recordedFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	data, err := s.Text(scenario.FileScenario)
	if err != nil {
		return nil, err
	}
	files[scenario.FileScenario] = data
	if data, err = s.Text(scenario.FileBriefing); err == nil {
		files[scenario.FileBriefing] = data
	}
	if log := s.Scenario.LogName(); log != "" {
		files[log] = s.Scenario.Log
	}
	return files, nil
}

// PrefixFindings puts the folder before the files of the findings in err, so that editors find
// them.
func PrefixFindings(dir string, err error) error {
	var findings guardrail.Errors
	if !errors.As(err, &findings) {
		return err
	}
	all := make(guardrail.Errors, len(findings))
	for i, f := range findings {
		all[i] = PrefixFinding(dir, f)
	}
	return all
}

// PrefixFinding puts the folder before the file of one finding.
func PrefixFinding(dir string, f guardrail.Finding) guardrail.Finding {
	if f.File == guardrail.WholeSet {
		f.File = cmp.Or(dir, guardrail.WholeSet)
		return f
	}
	f.File = filepath.Join(dir, f.File)
	return f
}
