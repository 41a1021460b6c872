package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDeckScripts drives the program in a real terminal, as users do: tmux is the terminal.
func TestDeckScripts(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not on PATH: the screens are not driven in a real terminal (apt-get install tmux)")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/deck",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "terminal": openTerminal, "keys": pressKeys, "shows": shows, "resize": resize,
			"hangup": hangUp,
		},
		RequireExplicitExec: true,
	})
}

// tmux runs a command of the script's own server.
func tmux(ts *testscript.TestScript, args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(ts.Getenv("WORK"), "tmux.sock"), "-f", "/dev/null",
		"-u"}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "SHELL=/bin/sh", "ENV=", "PS1=ready> ", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// openTerminal COLUMNS LINES opens a terminal with a shell in it.
func openTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: terminal COLUMNS LINES")
	}
	// A socket's path may have about 100 bytes: the server runs in the folder of the socket.
	out, err := tmux(ts, "new-session", "-d", "-s", "t", "-x", args[0], "-y", args[1], "/bin/sh", "-i")
	if err != nil {
		ts.Fatalf("tmux: %v: %s", err, out)
	}
	ts.Defer(func() { _, _ = tmux(ts, "kill-server") })
	shows(ts, false, []string{"ready>"})
}

// pressKeys KEY... presses keys, named as tmux names them.
func pressKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: keys KEY...")
	}
	if out, err := tmux(ts, append([]string{"send-keys", "-t", "t"}, args...)...); err != nil {
		ts.Fatalf("tmux: %v: %s", err, out)
	}
}

// resize COLUMNS LINES resizes the terminal.
func resize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: resize COLUMNS LINES")
	}
	if out, err := tmux(ts, "resize-window", "-t", "t", "-x", args[0], "-y", args[1]); err != nil {
		ts.Fatalf("tmux: %v: %s", err, out)
	}
}

// hangUp closes the terminal.
func hangUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: hangup")
	}
	if out, err := tmux(ts, "kill-server"); err != nil {
		ts.Fatalf("tmux: %v: %s", err, out)
	}
}

// patience bounds how long a script waits for a text: 20 check seeds take half a minute on two idle
// cores.
const patience = 3 * time.Minute

// shows TEXT... waits until the terminal shows all texts; with ! until it shows none of them.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: shows TEXT...")
	}
	var screen string
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-look.C {
		var err error
		if screen, err = tmux(ts, "capture-pane", "-p", "-t", "t"); err != nil {
			ts.Fatalf("tmux: %v: %s", err, screen)
		}
		found := 0
		for _, text := range args {
			if strings.Contains(screen, text) {
				found++
			}
		}
		if neg && found == 0 || !neg && found == len(args) {
			return
		}
	}
	ts.Fatalf("after %v the terminal shows (wanted: %v %q)\n%s", patience, !neg, args, screen)
}
