package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/verdict/score"
)

func TestTextWriterRemovesWhatSteersATerminal(t *testing.T) {
	const hostile = "a\x1b]0;title\a\x1b[2J\x1b[31mb\r\u009b1m\u202ec\u2066\u200b\x00\x7f\x9b\xff d\n\té\u00a0✓"
	for name, c := range map[string]struct {
		env  Env
		want string
	}{
		"to a file": {Env{}, "a]0;title[2J[31mb1mc d\n\té\u00a0✓"},
		"with colours": {Env{OutTerminal: true, Getenv: func(string) string {
			return ""
		}}, "a]0;title[2J\x1b[31mb1mc d\n\té\u00a0✓"},
		"without colour": {Env{OutTerminal: true, Getenv: func(string) string {
			return "1"
		}}, "a]0;title[2J[31mb1mc d\n\té\u00a0✓"},
	} {
		var out bytes.Buffer
		c.env.Out, c.env.Err = &out, io.Discard
		env, _ := c.env.withTextWriters()
		io.WriteString(env.Out, hostile)
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}

func TestTextWriterJoinsCharacters(t *testing.T) {
	var out bytes.Buffer
	w := newTextWriter(&out, nil)
	for _, b := range []byte("é\u202e✓") {
		if n, err := w.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if out.String() != "é✓" {
		t.Errorf("%q", out.String())
	}
}

// fullDisk is a file that cannot be written.
type fullDisk struct{ err error }

func (d fullDisk) Write([]byte) (int, error) { return 0, d.err }

func TestOutputThatCannotBeWritten(t *testing.T) {
	for err, want := range map[error]int{syscall.ENOSPC: score.ExitLabFailed, syscall.EPIPE: score.ExitPassed} {
		th := newTestEnv(t, &fakeCluster{})
		th.Out = fullDisk{err}
		for _, args := range [][]string{{"list"}, {"list", "--json"}, {"lint", "naive", "--scenario", "full-rollout"}} {
			if code := execute(t.Context(), th.Env, args); args[len(args)-1] != "--json" && code != want {
				t.Errorf("%v: %v: exit code %d, want %d", err, args, code, want)
			}
			if text := th.err.String(); err == syscall.EPIPE && strings.Contains(text, "pipe") {
				t.Errorf("%v: a pipe that closes early is an error: %s", args, text)
			}
		}
	}
}

// brokenCluster panics when it is asked for its versions.
type brokenCluster struct{ cluster.Cluster }

func (brokenCluster) Describe() cluster.Description { panic("out of luck\x1b[2J") }

func TestPanicIsNotInvalidInput(t *testing.T) {
	th := newTestEnv(t, &fakeCluster{})
	th.Cluster = brokenCluster{}
	if code := th.run(t.Context(), "version"); code != score.ExitLabFailed ||
		!strings.HasPrefix(th.err.String(), "coalmine: panic: out of luck[2J\n\n") {
		t.Errorf("exit code %d\n%s", code, &th.err)
	}
}

// Texts of others are in manifests' names, run folders, briefings and bundles.
func TestCommandsPrintNoControlCharacters(t *testing.T) {
	const title = "\x1b]0;PWNED\a\x1b[2J\u202e"
	th, _ := played(t, &fakeCluster{careless: true})
	for path, text := range map[string]string{
		"own/briefing.md":        "# x " + title + "\n",
		"own/scenario.yaml":      read(t, th.Dir, "result", "scenario", "scenario.yaml"),
		"own/" + title + ".yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X}\n",
	} {
		if err := os.MkdirAll(filepath.Join(th.Dir, "own"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(th.Dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unseal(t, th)
	editFile(t, filepath.Join(th.Dir, "result", faultyLog), func(data []byte) []byte {
		return bytes.ReplaceAll(data, []byte(`"phase":"Progressing"`), []byte(`"phase":"Pro\u001b[2J\u202e"`))
	})
	for _, args := range [][]string{
		{"show", "./own"}, {"lint", "own"}, {"run", "full-rollout", "-g", "own"}, {"replay", "result", "--plain"},
		{"report", "result"}, {"lint", title}, {"run", title, "-g", title}, {"report", title},
	} {
		th.run(t.Context(), args...)
		both := th.out.String() + th.err.String()
		if strings.ContainsAny(both, "\x1b\a\r\u202e") || both == "" {
			t.Errorf("%q prints %q", args, both)
		}
	}
}

func TestPlayerThatFindsNoProgramPlaysNothing(t *testing.T) {
	want := errors.New("no such program")
	th := newTestEnv(t, &fakeCluster{})
	th.Player = noPlayer{want}
	if code := th.run(t.Context(), "run", "full-rollout", "-g", "solution", "--trials",
		"1"); code != score.ExitLabFailed ||
		!strings.Contains(th.err.String(), want.Error()) {
		t.Errorf("exit code %d\n%s%s", code, &th.out, &th.err)
	}
}
