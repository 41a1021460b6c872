package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// homeEditor implements [host.Editor] with the editor of the environment.
type homeEditor struct{ env *Env }

// Edit implements [host.Editor]: $VISUAL, else $EDITOR, else the first of some that nearly every system has one of. The variables
// hold a command line for the shell, as git and others take them.
func (e homeEditor) Edit(path string, line int) (*exec.Cmd, error) {
	path = e.env.path(path)
	for _, name := range []string{"VISUAL", "EDITOR"} {
		command := strings.TrimSpace(e.env.Getenv(name))
		if command == "" {
			continue
		}
		first := strings.Fields(command)[0]
		if _, err := exec.LookPath(strings.Trim(first, `"'`)); err != nil && !strings.ContainsAny(command, `"'$\`) {
			return nil, fmt.Errorf("%s is %q, and there is no program %s: set it to your editor, or edit %s elsewhere and press r", name, command, first, path)
		}
		return shellCommand(command, openArgs(first, path, line)), nil
	}
	for _, name := range editors() {
		if program, err := exec.LookPath(name); err == nil {
			return exec.Command(program, openArgs(name, path, line)...), nil
		}
	}
	return nil, fmt.Errorf("no editor was found: set EDITOR, or edit %s elsewhere and press r", path)
}

// editors are tried where the environment names none: those first that tell on their screen how to leave them.
func editors() []string {
	if runtime.GOOS == "windows" {
		return []string{"micro", "hx", "nvim", "vim", "notepad"}
	}
	return []string{"nano", "micro", "hx", "nvim", "vim", "vi", "emacs"}
}

// shellCommand runs a command line with further arguments.
func shellCommand(command string, args []string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		all := append(strings.Fields(command), args...)
		return exec.Command(all[0], all[1:]...)
	}
	return exec.Command("sh", append([]string{"-c", command + ` "$@"`, command}, args...)...)
}

// openArgs are the arguments that open a file at a line, for editors that are known to take one.
func openArgs(editor, path string, line int) []string {
	name := strings.TrimSuffix(filepath.Base(editor), ".exe")
	switch {
	case line <= 1:
	case slices.Contains([]string{"vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak", "sensible-editor"}, name):
		return []string{fmt.Sprintf("+%d", line), path}
	case name == "hx" || name == "helix":
		return []string{fmt.Sprintf("%s:%d", path, line)}
	case name == "code" || name == "codium":
		return []string{"--goto", fmt.Sprintf("%s:%d", path, line)}
	}
	return []string{path}
}
