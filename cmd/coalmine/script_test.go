package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"coalmine": main, "request": request})
}

// TestScripts runs the program as users do.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "serves": serves, "stops": stops,
			"loads": loads, "judges": judges, "samecounts": samecounts},
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Values[servedKey{}] = &[]*served{}
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, ".tmp", "state"))
			// The folder with coalmine, for scripts that run it without what else is on this
			// machine.
			e.Setenv("PROGRAMS", filepath.SplitList(e.Getenv("PATH"))[0])
			return nil
		},
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// condition has the conditions of scripts: namespaces is whether users may create namespaces here.
func condition(name string) (bool, error) {
	if name != "namespaces" {
		return false, fmt.Errorf("there is no condition %q", name)
	}
	return exec.Command("unshare", "-rnm", "mount", "-t", "tmpfs", "none", "/proc").Run() == nil, nil
}

// exits CODE PROGRAM ARG... runs a program and wants this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := programExit(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// programExit runs a program and returns its exit code.
func programExit(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	return 0
}
