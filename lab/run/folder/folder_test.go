package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
)

var faulty7 = Run{Role: "faulty", Seed: 7, Version: "v2"}

func manifest() Manifest {
	return Manifest{
		Scenario: "s", Versions: map[string]string{"sim": "1"}, Options: Options{Approve: "1m0s"},
		Runs: []Run{faulty7, {Role: "healthy", Seed: 7, Version: "v3"}},
	}
}

// sampleEvents returns the events of a small run.
func sampleEvents(r Run) []event.Event {
	return []event.Event{
		{Seq: 1, Fact: event.RunStarted{Format: event.Format, Scenario: "s", Seed: r.Seed, Version: r.Version}},
		{Seq: 2, At: time.Second, Fact: event.Stage{Name: event.StageRollout}},
		{Seq: 3, At: time.Minute, Fact: event.RunEnded{Outcome: event.OutcomeCompleted}},
	}
}

// record creates a run folder with one run and a card.
func record(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	r, err := Create(dir, manifest(), map[string][]byte{"scenario.yaml": []byte("kind: Scenario")},
		map[string][]byte{"canary.yaml": []byte("kind: Canary"), "deep/er/metric.yaml": []byte("kind: MetricTemplate")})
	if err != nil {
		t.Fatal(err)
	}
	log, err := r.Log(faulty7)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range sampleEvents(faulty7) {
		log.Write(e)
	}
	if err := errors.Join(log.Close(), r.Card([]byte("{}"), []byte("card")), r.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestReadBack(t *testing.T) {
	f := read(t, record(t))
	want := manifest()
	want.Format = Format
	if diff := cmp.Diff(want, f.Manifest); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
	events, err := f.Events(faulty7)
	if diff := cmp.Diff(sampleEvents(faulty7), events); err != nil || diff != "" {
		t.Errorf("error %v, the events differ (-want +got):\n%s", err, diff)
	}
	if _, err := f.Events(f.Manifest.Runs[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a run that never started: error %v, want fs.ErrNotExist", err)
	}
	if card, err := f.root.ReadFile(fileCardJSON); err != nil || string(card) != "{}" {
		t.Errorf("the card is %q, error %v", card, err)
	}
	if data, err := f.root.ReadFile(dirGuardrails + "/deep/er/metric.yaml"); err != nil ||
		string(data) != "kind: MetricTemplate" {
		t.Errorf("a guardrail is read as %q, error %v", data, err)
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	contents := func(dir string) map[string]string {
		files := map[string]string{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(filepath.Join(dir, name))
			files[name] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	a, b := contents(record(t)), contents(record(t))
	if diff := cmp.Diff(a, b); diff != "" || len(a) != 7 {
		t.Errorf("two records of the same trial have %d files and differ:\n%s", len(a), diff)
	}
}

func TestCreateRefusesNonEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, manifest(), nil, nil); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("error %v, want one that says the folder is not empty", err)
	}
	if _, err := Create(record(t), manifest(), nil, nil); err == nil {
		t.Error("an earlier trial was written over")
	}
}

func TestCreateRefuses(t *testing.T) {
	twice := manifest()
	twice.Runs[1] = twice.Runs[0]
	role := manifest()
	role.Runs[0].Role = "../faulty"
	for name, m := range map[string]Manifest{"a run twice": twice, "a role that is a path": role, "no run": {}} {
		if _, err := Create(filepath.Join(t.TempDir(), "run"), m, nil, nil); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, name := range []string{"../x.yaml", "/x.yaml", "a/../../x.yaml"} {
		if _, err := Create(filepath.Join(t.TempDir(), "run"), manifest(), nil,
			map[string][]byte{name: nil}); err == nil {
			t.Errorf("a guardrail named %s is accepted", name)
		}
	}
}

func TestLogIsCreatedOnce(t *testing.T) {
	r, err := Create(filepath.Join(t.TempDir(), "run"), manifest(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	log, err := r.Log(faulty7)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := r.Log(faulty7); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second log of the same run: error %v, want fs.ErrExist", err)
	}
}

// A log that is cut off at any byte is read up to the last complete line.
func TestCutOffLog(t *testing.T) {
	dir := record(t)
	name := filepath.Join(dir, faulty7.eventsPath())
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(data) - 1; size >= 0; size-- {
		if err := os.Truncate(name, int64(size)); err != nil {
			t.Fatal(err)
		}
		events, err := read(t, dir).Events(faulty7)
		lines := strings.Count(string(data[:size]), "\n")
		atEnd := size > 0 && data[size-1] == '\n'
		switch {
		case len(events) != lines:
			t.Errorf("cut after %d bytes: %d events, want the %d complete ones", size, len(events), lines)
		case lines == 0 && (err == nil || size == 0 && !errors.Is(err, fs.ErrNotExist)):
			t.Errorf("cut after %d bytes, before the first event ended: error %v", size, err)
		case !atEnd && size > 0 && !errors.Is(err, ErrCutOff), atEnd && err != nil:
			t.Errorf("cut after %d bytes: error %v", size, err)
		}
	}
}

// A line can be longer than the chunk in which wholeLines searches for its end.
func TestCutOffInALongLine(t *testing.T) {
	dir := record(t)
	name := filepath.Join(dir, faulty7.eventsPath())
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(data, strings.Repeat("x", 200_000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := read(t, dir).Events(faulty7)
	if whole := strings.Count(string(data), "\n"); len(events) != whole || !errors.Is(err, ErrCutOff) {
		t.Errorf("%d events and error %v, want %d and a log that is cut off", len(events), err, whole)
	}
}

// Each test damages a valid run folder in one place.
func TestDamagedFolders(t *testing.T) {
	replace := func(name, old, new string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			name := filepath.Join(dir, name)
			data, err := os.ReadFile(name)
			if err != nil || !strings.Contains(string(data), old) {
				t.Fatalf("%q is not in %s, error %v", old, name, err)
			}
			if err := os.WriteFile(name, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			outside := filepath.Join(t.TempDir(), "outside")
			if err := os.Rename(filepath.Join(dir, name), outside); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
				t.Skip(err)
			}
		}
	}
	for name, test := range map[string]struct {
		spoil func(*testing.T, string)
		want  string
	}{
		"a newer format":   {replace("run.json", `"format": 3`, `"format": 4`), "use a newer one"},
		"an unknown field": {replace("run.json", `"scenario"`, `"szenario"`), "unknown field"},
		"a role that is a path": {replace("run.json", `"role": "faulty"`, `"role": "../../x"`),
			"not a word of a-z"},
		"a manifest that is a link": {link("run.json"), "is a symbolic link"},
		"another seed":              {replace("run.json", `"seed": 7`, `"seed": 8`), "no such file"},
		"a log of another seed": {replace(faulty7.eventsPath(), `"seed":7`, `"seed":8`),
			"files were moved or edited"},
		"a log of another scenario": {replace(faulty7.eventsPath(), `"scenario":"s"`, `"scenario":"t"`),
			"files were moved or edited"},
		"a log that is a link":            {link(faulty7.eventsPath()), "is a symbolic link"},
		"a folder of logs that is a link": {link("runs"), "is a symbolic link"},
		"a log of another run": {func(t *testing.T, dir string) {
			name := filepath.Join(dir, faulty7.eventsPath())
			if err := os.Rename(name, filepath.Join(dir, "runs", "log")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../log", name); err != nil {
				t.Skip(err)
			}
		}, "is a symbolic link"},
		"a log with many cells": {replace(faulty7.eventsPath(), `"kind":"run.started"`,
			strings.Repeat("{}", 30_000)+`"kind":"run.started"`), "a line with"},
		"an empty log": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, faulty7.eventsPath()), 0); err != nil {
				t.Fatal(err)
			}
		}, "no events were recorded"},
		"a damaged line": {replace(faulty7.eventsPath(), `"seq":2`, `"seq":4`), "line 2: sequence number is 4"},
		"a log without end": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, faulty7.eventsPath()), maxLog+1); err != nil {
				t.Fatal(err)
			}
		}, "is over 256 MiB"},
		"a folder as manifest": {func(t *testing.T, dir string) {
			name := filepath.Join(dir, "run.json")
			if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := record(t)
			test.spoil(t, dir)
			f, err := Open(dir)
			if err == nil {
				defer f.Close()
				_, err = f.Events(f.Manifest.Runs[0])
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// A writer that fails leaves nothing, so that the same command can be given again.
func TestCreateLeavesNothingBehind(t *testing.T) {
	long := strings.Repeat("x", 300) + ".yaml"
	m := Manifest{Scenario: "s", Runs: []Run{faulty7}}
	parent := t.TempDir()
	present := filepath.Join(parent, "present")
	if err := os.Mkdir(present, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(parent, "new"), present} {
		if _, err := Create(dir, m, map[string][]byte{"scenario.yaml": nil}, map[string][]byte{long: nil}); err == nil {
			t.Fatal("a file with a name of 305 bytes was written")
		}
		if left, err := os.ReadDir(dir); len(left) > 0 || (dir == present) != (err == nil) {
			t.Errorf("%s: left %v, %v", dir, left, err)
		}
	}
	if err := os.WriteFile(filepath.Join(present, "run.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(present, m, nil, nil); err == nil {
		t.Error("a trial was written over another")
	}
	if left, _ := os.ReadDir(present); len(left) != 1 {
		t.Errorf("an earlier trial was removed: left %v", left)
	}
}

func TestCreateTakesLongNames(t *testing.T) {
	name := strings.Repeat("x", 250) + ".yaml"
	m := Manifest{Scenario: "s", Runs: []Run{faulty7}}
	w, err := Create(filepath.Join(t.TempDir(), "new"), m, nil, map[string][]byte{name: nil})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

func TestOpenMissing(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v, want fs.ErrNotExist", err)
		}
	}
}

// Files with any valid paths are read back unchanged.
func TestFileTree(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(rapid.StringMatching(`d[a-c](/d[a-c]){0,2}/f[a-c]\.yaml`),
			rapid.SliceOfN(rapid.Byte(), 0, 20), 0, 6).Draw(t, "files")
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		r, err := Create(dir, manifest(), nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got := map[string][]byte{}
		for name := range want {
			if got[name], err = os.ReadFile(filepath.Join(dir, dirGuardrails, name)); err != nil {
				t.Fatal(err)
			}
		}
		for name := range want {
			if string(got[name]) != string(want[name]) {
				t.Errorf("%s is %q, want %q", name, got[name], want[name])
			}
		}
	})
}
