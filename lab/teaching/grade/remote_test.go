package grade_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"coalmine/lab/run/folder"
	"coalmine/lab/teaching/grade"
)

// elsewhere plays chunks in a copy of the folder, the last ones first.
type elsewhere struct {
	t       *testing.T
	program grade.Program
	// fails is a chunk that nobody plays, -1 for none.
	fails int
}

// Play implements [grade.Remote].
func (e elsewhere) Play(ctx context.Context, dir string, n int, done func(int)) error {
	there := filepath.Join(e.t.TempDir(), "there")
	if err := os.CopyFS(there, os.DirFS(dir)); err != nil {
		return err
	}
	for i := n - 1; i >= 0; i-- {
		if i == e.fails {
			continue
		}
		err := grade.ServeChunk(ctx, there, i, folder.Binary{}, e.program)
		again := grade.ServeChunk(ctx, there, i, folder.Binary{}, grade.Program{Path: "/nowhere"}) // all is there
		if err := errors.Join(err, again); err != nil {
			return err
		}
		done(n - i)
	}
	if e.fails == 0 {
		return nil
	}
	return os.CopyFS(filepath.Join(dir, "results"), os.DirFS(filepath.Join(there, "results")))
}

// A class that is played elsewhere has the same bytes, and what failed there has no grade.
func TestRemote(t *testing.T) {
	dir := t.TempDir()
	handIn(t, dir, false)
	local, remote := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	gradeClass(t, dir, local, nil)
	gradeClass(t, dir, remote, func(o *grade.Options) { o.Remote = elsewhere{t, o.Worker, -1} })
	compare(t, local, remote)
	g := gradeClass(t, dir, filepath.Join(t.TempDir(), "c"), func(o *grade.Options) {
		o.Remote = elsewhere{t, o.Worker, 0}
	})
	for _, l := range g.Learners {
		if want := l.Parts[0].Cause; l.Status == grade.Graded && l.Parts[0].Digest != "" ||
			l.Learner == "good0" && want != grade.CauseLab {
			t.Errorf("%s is %s: %s", l.Learner, l.Status, l.Reason())
		}
	}
	// Another program does not play them.
	other := folder.Binary{Version: "other"}
	if err := grade.ServeChunk(t.Context(), t.TempDir(), 0, other, grade.Program{}); err == nil {
		t.Error("a folder without tasks is played")
	}
}
