package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"coalmine/lab/guardrail"
)

// LoadFiles is [Load] for the files of a folder, by their paths in it. A Kustomization among them is
// built in a temporary folder, and cannot refer to anything outside of it.
func LoadFiles(ctx context.Context, files map[string][]byte, env guardrail.Environment) (*guardrail.Set, error) {
	if !built(files) {
		return guardrail.Parse(files, env)
	}
	temporary, err := os.MkdirTemp("", "coalmine-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a Kustomization: %w", err)
	}
	defer os.RemoveAll(temporary)
	dir := filepath.Join(temporary, "guardrails") // findings have the name of the folder
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	return Load(ctx, dir, env, Options{})
}

// IsChart reports whether the files are a Helm chart.
func IsChart(files map[string][]byte) bool {
	_, ok := files["Chart.yaml"]
	return ok
}

// built reports whether files stand for others: a Kustomization, or variables of Flux.
func built(files map[string][]byte) bool {
	for name, data := range files {
		if slices.Contains(kustomizationNames(), path.Base(name)) || variable.Match(data) {
			return true
		}
	}
	return false
}

// writeFiles writes files into a folder, which it makes the root of a repository: see [enclosing].
func writeFiles(dir string, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	errs := []error{root.Mkdir(".git", 0o700)}
	for name, data := range files {
		local, err := filepath.Localize(name)
		if err == nil {
			err = root.MkdirAll(filepath.Dir(local), 0o700)
		}
		if err == nil {
			err = root.WriteFile(local, data, 0o600)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write the files of a Kustomization: %w", err)
	}
	return nil
}
