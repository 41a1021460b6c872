package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/event"
	"coalmine/lab/report"
	"coalmine/lab/verdict/score"
)

// played is an environment with a run folder named result.
func played(t *testing.T, s *fakeCluster, args ...string) (*testEnv, int) {
	t.Helper()
	th := newTestEnv(t, s)
	code := th.run(t.Context(), append([]string{"run", "full-rollout", "-g", "naive", "--trials", "1", "-o", "result"},
		args...)...)
	if code == score.ExitInvalid {
		t.Fatalf("exit code %d\n%s", code, &th.err)
	}
	return th, code
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReportFormats(t *testing.T) {
	for _, args := range [][]string{nil, {"--version", "v2"}, {"--version", "v3"}} {
		th, first := played(t, &fakeCluster{careless: true}, args...)
		for _, f := range report.Formats() {
			if code := th.run(t.Context(), "report", "result", "--format", string(f)); code != first ||
				th.out.Len() == 0 || th.err.Len() > 0 {
				t.Errorf("%v as %s: exit code %d, want %d\n%s", args, f, code, first, &th.err)
			}
			printed := th.out.String()
			name := "out." + string(f)
			if code := th.run(t.Context(), "report", "result", "-f", string(f), "-o", name); code != first ||
				th.out.Len() > 0 || th.err.String() != "Wrote "+name+"\n" {
				t.Errorf("%v as %s into a file: exit code %d, want %d\n%s%s", args, f, code, first, &th.out, &th.err)
			}
			if diff := cmp.Diff(printed, read(t, th.Dir, name)); diff != "" {
				t.Errorf("%v as %s: the file differs from what is printed (-printed +file):\n%s", args, f, diff)
			}
		}
	}
}

// TestRunWritesReports: the reports in the run folder are those that report makes of it.
func TestRunWritesReports(t *testing.T) {
	th, _ := played(t, &fakeCluster{careless: true})
	for name, f := range map[string]report.Format{"report.html": report.FormatHTML,
		"postmortem.md": report.FormatPostmortem} {
		th.run(t.Context(), "report", "result", "-f", string(f))
		if diff := cmp.Diff(read(t, th.Dir, "result", name), th.out.String()); diff != "" {
			t.Errorf("%s differs from what report writes (-folder +report):\n%s", name, diff)
		}
	}
}

// TestRunFoldersAreReproducible also covers the reports.
func TestRunFoldersAreReproducible(t *testing.T) {
	tree := func(th *testEnv) map[string]string {
		files := map[string]string{}
		root := os.DirFS(filepath.Join(th.Dir, "result"))
		err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files[name] = read(t, th.Dir, "result", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	a, _ := played(t, &fakeCluster{careless: true}, "--nonce", "abc")
	b, _ := played(t, &fakeCluster{careless: true}, "--nonce", "abc")
	if diff := cmp.Diff(tree(a), tree(b)); diff != "" {
		t.Errorf("the same trial gave two folders (-one +other):\n%s", diff)
	}
}

func TestReportUsage(t *testing.T) {
	th, first := played(t, &fakeCluster{careless: true})
	if code := th.run(t.Context(), "report", "result", "--json", "--format", "json"); code != first {
		t.Errorf("--json --format json: exit code %d, want %d", code, first)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--format", "pdf"}, `there is no format "pdf": write one of text, json, md, html, junit, postmortem`},
		{[]string{"--json", "--format", "html"}, "--json and --format html are two formats"},
		{[]string{"-f", "html", "-o", "result"}, "is not a regular file"},
		{[]string{"-f", "html", "-o", "no/such/folder/x.html"}, "name a file that can be written with -o"},
	} {
		code := th.run(t.Context(), append([]string{"report", "result"}, c.args...)...)
		if code != score.ExitInvalid || !strings.Contains(th.err.String(), c.says) || th.out.Len() > 0 {
			t.Errorf("%v: exit code %d, and it says\n%s%s\nwant %q", c.args, code, &th.out, &th.err, c.says)
		}
	}
	if left, err := filepath.Glob(filepath.Join(th.Dir, ".coalmine-*")); err != nil || len(left) > 0 {
		t.Errorf("files were left: %v, %v", left, err)
	}
}

// edited changes the log of the healthy run.
func edited(t *testing.T, th *testEnv, change func([][]byte) [][]byte) {
	t.Helper()
	path := filepath.Join(th.Dir, "result", "runs", "healthy-seed1", "events.jsonl")
	lines := bytes.SplitAfter([]byte(read(t, path)), []byte("\n"))
	if err := os.WriteFile(path, bytes.Join(change(lines), nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReportOnADamagedLog: each report names the damaged line, and shows the events before it.
func TestReportOnADamagedLog(t *testing.T) {
	for name, c := range map[string]struct {
		change func([][]byte) [][]byte
		says   string
	}{
		"a line was taken out": {func(l [][]byte) [][]byte { return append(l[:40:40], l[41:]...) },
			"healthy-seed1/events.jsonl: line 41: sequence number is 42, want 41: lines are missing or were moved"},
		"a line was changed": {func(l [][]byte) [][]byte {
			l[40] = []byte("{}\n")
			return l
		}, "healthy-seed1/events.jsonl: line 41: "},
		"an unknown kind": {func(l [][]byte) [][]byte {
			l[40] = []byte(`{"seq":41,"at":999,"kind":"magic","data":{}}` + "\n")
			return l
		},
			`line 41: not an event: event 41: kind "magic" is unknown: the log was written by a newer coalmine, or was edited`},
		"cut in the middle of a line": {func(l [][]byte) [][]byte { return append(l[:40:40], l[40][:20]) },
			"healthy-seed1/events.jsonl: the log is cut off after line 40"},
	} {
		t.Run(name, func(t *testing.T) {
			th, _ := played(t, &fakeCluster{})
			edited(t, th, c.change)
			for _, f := range report.Formats() {
				code := th.run(t.Context(), "report", "result", "-f", string(f))
				if code != score.ExitInconclusive || !strings.Contains(th.err.String(), c.says) ||
					!strings.Contains(th.err.String(), "; the events before it count\n") {
					t.Fatalf("as %s: exit code %d, want %d, and it says\n%s\nwant %q", f, code, score.ExitInconclusive,
						&th.err, c.says)
				}
				said := strings.Join(strings.Fields(th.out.String()), " ")
				if !strings.Contains(said, "the log ends in the middle of the run") {
					t.Errorf("as %s, it does not say that the log ends early:\n%s", f, said)
				}
				if f != report.FormatText && f != report.FormatJSON && !strings.Contains(said, "events.jsonl: ") {
					t.Errorf("as %s, nothing says what is broken", f)
				}
			}
		})
	}
}

func TestReportOnANewerLog(t *testing.T) {
	th, _ := played(t, &fakeCluster{})
	edited(t, th, func(l [][]byte) [][]byte {
		l[0] = bytes.Replace(l[0], fmt.Appendf(nil, `"format":%d`, event.Format), []byte(`"format":99`), 1)
		return l
	})
	want := fmt.Sprintf("coalmine: runs/healthy-seed1/events.jsonl: line 1: the log has format 99, this coalmine "+
		"reads up to %d: "+
		"use a newer one\n", event.Format)
	if code := th.run(t.Context(), "report", "result", "-f", "html"); code != score.ExitInvalid ||
		th.err.String() != want || th.out.Len() > 0 {
		t.Errorf("exit code %d, and it says %q, want %q", code, th.err.String(), want)
	}
}

func TestReportWithoutCard(t *testing.T) {
	th, first := played(t, &fakeCluster{careless: true})
	for _, name := range []string{"card.json", "card.txt", "report.html", "postmortem.md"} {
		if err := os.RemoveAll(filepath.Join(th.Dir, "result", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range report.Formats() {
		if code := th.run(t.Context(), "report", "result", "-f", string(f)); code != first || th.err.Len() > 0 {
			t.Errorf("as %s: exit code %d, want %d\n%s", f, code, first, &th.err)
		}
	}
}

func TestReportOnHostileGuardrails(t *testing.T) {
	th, first := played(t, &fakeCluster{careless: true})
	unseal(t, th)
	dir := filepath.Join(th.Dir, "result", "guardrails")
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("a: </code><script>alert(1)</script>\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if code := th.run(t.Context(), "report", "result", "-f", "html"); code != first ||
		strings.Contains(th.out.String(), "<script") || !strings.Contains(th.out.String(), "&lt;script&gt;") {
		t.Errorf("exit code %d, want %d", code, first)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "y.yaml")); err != nil {
		t.Skip(err)
	}
	if code := th.run(t.Context(), "report", "result", "-f", "html"); code != score.ExitInvalid ||
		strings.Contains(th.out.String(), "root:") {
		t.Errorf("a link out of the folder was followed: exit code %d\n%s", code, &th.err)
	}
}
