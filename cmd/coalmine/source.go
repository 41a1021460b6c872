package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

// source is a scenario and the folder it was read from.
type source struct {
	*scenario.Folder
	scenario *scenario.Scenario
}

// openScenario finds a scenario by its name in the library, or by the path of its folder. Close it after use.
func (env *Env) openScenario(name string) (*source, error) {
	folder, err := scenario.Open(scenarios.Library(), name)
	if errors.Is(err, fs.ErrNotExist) {
		folder, err = env.openFolder(name)
	}
	if err != nil {
		return nil, err
	}
	s, err := folder.Load()
	if err == nil {
		err = invalidRubric(name, s)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return &source{folder, s}, nil
}

func (env *Env) openFolder(name string) (*scenario.Folder, error) {
	dir := env.path(name)
	if _, err := os.Stat(filepath.Join(dir, scenario.FileScenario)); err != nil {
		names, _ := scenario.Names(scenarios.Library()) // an embedded folder can be listed
		return nil, invalid("the library has "+strings.Join(names, ", ")+"; a path must lead to a folder with "+scenario.FileScenario,
			"there is no scenario %q", name)
	}
	folder, err := scenario.OpenFolder(dir)
	if err != nil {
		return nil, invalid("", "%w", err)
	}
	return folder, nil
}

func invalidRubric(name string, s *scenario.Scenario) error {
	if err := score.ValidateRubric(s.Rubric); err != nil {
		return invalid("", "%s: %w", filepath.Join(name, scenario.FileScenario), err)
	}
	return nil
}

// loadGuardrails reads guardrails from a path, or from the variant of the scenario with this name when there is no such path.
// It tells the variant's name, "" for a path.
func (env *Env) loadGuardrails(ctx context.Context, name string, src *source) (*guardrail.Set, string, error) {
	path := env.path(name)
	if info, err := os.Stat(path); err == nil {
		set, err := guardrail.Load(ctx, path, guardrail.EnvironmentOf(src.scenario))
		if !info.IsDir() {
			path = filepath.Dir(path)
		}
		return set, "", prefixFindings(path, err)
	}
	files, err := src.Files(name)
	if errors.Is(err, fs.ErrNotExist) {
		variants, _ := src.Variants() // only for the hint
		return nil, "", invalid(fmt.Sprintf("write a folder, or one of the scenario's own: %s", strings.Join(variants, ", ")),
			"there are no guardrails %q", name)
	}
	if err != nil {
		return nil, "", err
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(src.scenario))
	return set, name, prefixFindings(src.scenario.Name+"/"+name, err)
}

// prefixFindings puts the folder before the files of findings, so that editors find them.
func prefixFindings(dir string, err error) error {
	var findings guardrail.Errors
	if !errors.As(err, &findings) {
		return err
	}
	all := make(guardrail.Errors, len(findings))
	for i, f := range findings {
		all[i] = prefixFile(dir, f)
	}
	return all
}

// prefixFile puts the folder before the file of one finding.
func prefixFile(dir string, f guardrail.Finding) guardrail.Finding {
	if f.File == guardrail.WholeSet {
		f.File = dir
		return f
	}
	f.File = filepath.Join(dir, f.File)
	return f
}
