package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
)

// taskFile is the task's text in a workspace; it is not a manifest.
const taskFile = "TASK.md"

func newStartCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "start SCENARIO [DIR]",
		Short: "Make a workspace with starter manifests and the task",
		Long: "Make a workspace with starter manifests, and the task in TASK.md. DIR is the scenario's name by " +
			"default and must not exist.",
		Example: `coalmine start full-rollout
coalmine start full-rollout /tmp/guardrails`,
		Args: between(1, "SCENARIO", "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			src, err := env.openScenario(args[0])
			if err != nil {
				return err
			}
			defer src.Close()
			dir := src.Scenario.Name
			if len(args) > 1 {
				dir = args[1]
			}
			files, err := workspace(src, args[0], dir)
			if err != nil {
				return err
			}
			if err := writeFolder(env.path(dir), files); err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "Made %s. Read %s, then edit the manifests.\n", dir, filepath.Join(dir, taskFile))
			return nil
		},
	}
}

// workspace returns the files of a new workspace by path.
func workspace(src *trial.Source, name, dir string) (map[string][]byte, error) {
	files, err := src.Files(scenario.Starter)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalid("add a folder "+scenario.Starter+"/ to it", "scenario %s has no starter manifests", name)
	}
	if err != nil {
		return nil, err
	}
	briefing, err := src.Briefing()
	if err != nil {
		return nil, err
	}
	files[taskFile] = []byte(taskText(src.Scenario, name, dir, briefing))
	return files, nil
}

func taskText(s *scenario.Scenario, name, dir string, briefing scenario.Briefing) string {
	if briefing.Text == "" {
		briefing.Text = fmt.Sprintf("# %s\n\n%s", s.Title, s.Summary)
	}
	name, dir = quoted(name), quoted(dir)
	hints := ""
	if n := len(briefing.Hints); n > 0 {
		hints = fmt.Sprintf("\nThere are %s. Each costs points: coalmine show %s --hints 1\n",
			format.Plural(n, "hint"), name)
	}
	return fmt.Sprintf(`%s
%s
## Commands for this folder

    coalmine lint %s --scenario %s
    coalmine run %s --guardrails %s

The exit code of run is 0 when every faulty release was stopped and every healthy one was delivered.
`, briefing.Text, hints, dir, name, name, dir)
}

// quoted quotes a word for a shell if it needs to.
func quoted(word string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// withoutTemporary is what is wrong with a temporary file, without its name.
func withoutTemporary(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// writeFolder makes a folder with all of its files, or not at all.
func writeFolder(dir string, files map[string][]byte) error {
	if _, err := os.Lstat(dir); err == nil {
		return invalid("name another folder, or remove this one", "%s exists already, and nothing is overwritten", dir)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return invalid("", "make a folder for %s: %w", dir, err)
	}
	temporary, err := os.MkdirTemp(parent, ".coalmine-*")
	if err != nil {
		return invalid("name a folder that can be written", "make a folder in %s: %w", parent, withoutTemporary(err))
	}
	defer os.RemoveAll(temporary) // gone after the rename
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		full := filepath.Join(temporary, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			return err
		}
	}
	return os.Rename(temporary, dir)
}
