//go:build unix

package main

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// handInClass writes a class of n submissions whose guardrails are all different.
func handInClass(t *testing.T, dir string, n int) {
	t.Helper()
	f, err := scenario.Open(scenarios.Library(), "full-rollout")
	if err != nil {
		t.Fatal(err)
	}
	files, err := f.Files("naive")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		learner := filepath.Join(dir, string(rune('a'+i)))
		for name, data := range files {
			err := os.MkdirAll(filepath.Dir(filepath.Join(learner, name)), 0o755)
			if err == nil {
				err = os.WriteFile(filepath.Join(learner, name), append(data, "# "+learner...), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// gradeCommand is the program that grades dir/handed-in into dir/OUT, in a process group of its own.
func gradeCommand(t *testing.T, dir, out string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "grade", "handed-in", "-s", "full-rollout", "--seed-file", "seeds", "--seeds", "1",
		"--date", "2026-12-01", "--workers", "2", "-o", out)
	cmd.Args[0], cmd.Dir = "coalmine", dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// A grading whose processes are killed while it plays goes on where it was: what was finished stays
// as it is, and in the end every byte is that of a grading that nobody disturbed.
func TestKilledGradingGoesOn(t *testing.T) {
	dir := t.TempDir()
	handInClass(t, filepath.Join(dir, "handed-in"), 4)
	if err := os.WriteFile(filepath.Join(dir, "seeds"), []byte("a secret of the instructor's"), 0o644); err != nil {
		t.Fatal(err)
	}
	killed := gradeCommand(t, dir, "grades")
	stderr, err := killed.StderrPipe()
	if err == nil {
		err = killed.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "1 of 4 graded") {
	}
	if err := syscall.Kill(-killed.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatalf("the grading ended before it was killed: %v", err)
	}
	_, _ = io.Copy(io.Discard, stderr)
	if err := killed.Wait(); err == nil {
		t.Fatal("the grading ended before it was killed")
	}
	before := filesIn(t, filepath.Join(dir, "grades"))
	finished, _ := filepath.Glob(filepath.Join(dir, "grades", "learners", "*", "*", "result.json"))
	if len(finished) < 1 || len(finished) == 4 {
		t.Fatalf("%d of 4 parts were finished when the grading was killed", len(finished))
	}
	for _, out := range []string{"grades", "undisturbed"} {
		if text, err := gradeCommand(t, dir, out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	after, undisturbed := filesIn(t, filepath.Join(dir, "grades")), filesIn(t, filepath.Join(dir, "undisturbed"))
	compareFiles(t, after, undisturbed)
	for name, file := range before {
		kept := strings.HasPrefix(name, "shared-runs/") || finishedPart(finished, filepath.Join(dir, "grades", name))
		if kept && !os.SameFile(file.info, after[name].info) {
			t.Errorf("%s was finished and was made again", name)
		}
	}
}

// finishedPart reports whether a file belongs to a part whose result is there.
func finishedPart(finished []string, file string) bool {
	for _, result := range finished {
		if strings.HasPrefix(file, filepath.Dir(result)+"/") {
			return true
		}
	}
	return false
}

// fileIn is a file and its content.
type fileIn struct {
	info fs.FileInfo
	data string
}

func filesIn(t *testing.T, dir string) map[string]fileIn {
	t.Helper()
	files := map[string]fileIn{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		files[strings.TrimPrefix(path, dir+"/")] = fileIn{info, string(data)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compareFiles(t *testing.T, got, want map[string]fileIn) {
	t.Helper()
	for name, file := range want {
		if got[name].data != file.data {
			t.Errorf("%s differs", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}
