package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// homeEditor implements [backend.Editor] with the user's editor.
type homeEditor struct{ env *Env }

// Edit implements [backend.Editor]: $VISUAL, else $EDITOR, else a common editor that is installed.
// As for git, the variables hold a command line for the shell.
func (e homeEditor) Edit(path string, line int) (*exec.Cmd, error) {
	path = e.env.path(path)
	for _, name := range []string{"VISUAL", "EDITOR"} {
		command := strings.TrimSpace(e.env.Getenv(name))
		if command == "" {
			continue
		}
		first := strings.Fields(command)[0]
		if _, err := exec.LookPath(strings.Trim(first, `"'`)); err != nil && !strings.ContainsAny(command, `"'$\`) {
			return nil, fmt.Errorf("%s is %q, but there is no program %s: set it to your editor, or edit %s "+
				"elsewhere and press r", name, command, first, path)
		}
		return shellCommand(command, openArgs(first, path, line)), nil
	}
	for _, name := range editors() {
		if program, err := exec.LookPath(name); err == nil {
			return exec.Command(program, openArgs(name, path, line)...), nil
		}
	}
	return nil, fmt.Errorf("no editor found: set EDITOR, or edit %s elsewhere and press r", path)
}

// editors returns the editors to try if the environment names none. Those that show on their screen
// how to leave them come first.
func editors() []string {
	if runtime.GOOS == "windows" {
		return []string{"micro", "hx", "nvim", "vim", "notepad"}
	}
	return []string{"nano", "micro", "hx", "nvim", "vim", "vi", "emacs"}
}

// shellCommand runs a command line with additional arguments.
func shellCommand(command string, args []string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		all := append(strings.Fields(command), args...)
		return exec.Command(all[0], all[1:]...)
	}
	return exec.Command("sh", append([]string{"-c", command + ` "$@"`, command}, args...)...)
}

// openArgs returns the arguments that open a file at a line, for editors that are known to support
// it.
func openArgs(editor, path string, line int) []string {
	name := strings.TrimSuffix(filepath.Base(editor), ".exe")
	switch {
	case line <= 1:
	case slices.Contains([]string{"vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak",
		"sensible-editor"}, name):
		return []string{fmt.Sprintf("+%d", line), path}
	case name == "hx" || name == "helix":
		return []string{fmt.Sprintf("%s:%d", path, line)}
	case name == "code" || name == "codium":
		return []string{"--goto", fmt.Sprintf("%s:%d", path, line)}
	}
	return []string{path}
}
