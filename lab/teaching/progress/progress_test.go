package progress

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newBook(t *testing.T) *Store {
	t.Helper()
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	return Open(filepath.Join(t.TempDir(), "state", "coalmine"), func() time.Time { return now })
}

func solve(e *Entry) { e.AddTrial(true, 90, 100, 5) }

func TestUpdateAndRead(t *testing.T) {
	b := newBook(t)
	if all, err := b.Read(); err != nil || len(all) != 0 {
		t.Fatalf("a new store has %v, %v", all, err)
	}
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("reading made %s: %v", b.dir, err)
	}
	if _, err := b.Update("hidden-segment", solve); err != nil {
		t.Fatal(err)
	}
	got, err := b.Update("full-rollout", func(e *Entry) { e.Hints = 2 })
	if err != nil || got.Hints != 2 {
		t.Fatal(got, err)
	}
	all, err := Open(b.dir, time.Now).Read()
	want := Entry{Solved: true, Points: 85, Of: 100, Cost: 5, Trials: 1,
		Last: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	if err != nil || len(all) != 2 || all["hidden-segment"] != want {
		t.Errorf("read %+v, %v", all, err)
	}
	left, err := os.ReadDir(b.dir)
	if err != nil || len(left) != 2 {
		t.Errorf("the folder has %v, %v: want the progress file and its lock", left, err)
	}
}

func TestUnreadableFileIsMovedAsideOnce(t *testing.T) {
	for name, text := range map[string]string{
		"broken": `{"format": 1, "scenarios": {"a": {"poi`,
		"newer":  `{"format": 7, "scenarios": {}}`,
		"empty":  "",
		"other":  `[1, 2]`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			if err := os.MkdirAll(b.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"progress.json.aside-1", "progress.json.aside-2"} {
				if err := os.WriteFile(b.Path(), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				var aside *UnreadableError
				all, err := b.Read()
				if !errors.As(err, &aside) || len(all) != 0 || filepath.Base(aside.MovedTo) != want {
					t.Fatalf("read %v, %v: want it moved to %s", all, err, want)
				}
				kept, err := os.ReadFile(filepath.Join(b.dir, want))
				if err != nil || string(kept) != text {
					t.Fatalf("%s holds %q, %v", want, kept, err)
				}
				if _, err := b.Read(); err != nil {
					t.Fatalf("it is reported twice: %v", err)
				}
			}
		})
	}
}

func TestUpdateWithUnreadableFile(t *testing.T) {
	b := newBook(t)
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var aside *UnreadableError
	if e, err := b.Update("a", solve); !errors.As(err, &aside) || e.Points != 85 {
		t.Fatalf("changed to %+v, %v", e, err)
	}
	if all, err := b.Read(); err != nil || all["a"].Points != 85 {
		t.Errorf("read %v, %v", all, err)
	}
}

func TestConcurrentUpdates(t *testing.T) {
	b := newBook(t)
	const programs, changes = 8, 25
	var all sync.WaitGroup
	for range programs {
		all.Go(func() {
			mine := Open(b.dir, b.now)
			for range changes {
				if _, err := mine.Update("a", func(e *Entry) { e.Trials++ }); err != nil {
					t.Error(err)
				}
				if _, err := mine.Read(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, err := b.Read(); err != nil || got["a"].Trials != programs*changes {
		t.Errorf("%d changes are left, %v; want %d", got["a"].Trials, err, programs*changes)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "coalmine"), time.Now).Update("a", solve); err == nil ||
		!strings.Contains(err.Error(), "save progress") {
		t.Errorf("the error is %v", err)
	}
}

func TestBestTrialStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e Entry
		best := -1
		solved := false
		for range rapid.IntRange(1, 12).Draw(t, "trials") {
			passed := rapid.Bool().Draw(t, "passed")
			points := rapid.IntRange(0, 100).Draw(t, "points")
			cost := rapid.IntRange(0, 30).Draw(t, "cost")
			e.AddTrial(passed, points, 100, cost)
			if net := max(0, points-cost); passed && !solved || passed == solved && net > best {
				best = net
			}
			solved = solved || passed
		}
		if e.Points != best || e.Solved != solved || e.Of != 100 {
			t.Fatalf("the best is %+v, want %d points, solved %v", e, best, solved)
		}
	})
}

func TestDefaultDir(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"xdg":      {map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/coalmine"},
		"home":     {map[string]string{"HOME": "/h"}, "/h/.local/state/coalmine"},
		"relative": {map[string]string{"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/coalmine"},
		"none":     {nil, ""},
	} {
		if got, err := DefaultDir(func(k string) string {
			return c.env[k]
		}); filepath.ToSlash(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"scenarios":{"a":{"points":5,"of":10}}}`))
	f.Add([]byte(`{"format":1,"scenarios":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := decode(data); err == nil && d.Scenarios == nil {
			t.Error("there is no map to write to")
		}
	})
}
