//go:build unix

package guardrail

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestLoadFollowsNoLinkOutside(t *testing.T) {
	outside := folder(t, map[string]string{"secret.yaml": configMap, "sub/secret.yaml": configMap})
	for name, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret.yaml"),
		"device":   "/dev/zero",
		"nowhere":  "nowhere.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"a.yaml": configMap})
			if err := os.Symlink(target, filepath.Join(dir, "link.yaml")); err != nil {
				t.Fatal(err)
			}
			_, err := load(t, dir)
			wantError(t, err, "link.yaml: the symbolic link leads out of the folder, or to nothing")
		})
	}
	t.Run("folder", func(t *testing.T) {
		dir := folder(t, map[string]string{"a.yaml": configMap})
		if err := os.Symlink(outside, filepath.Join(dir, "linked")); err != nil {
			t.Fatal(err)
		}
		if set, err := load(t, dir); err != nil || len(set.Files) != 1 {
			t.Errorf("got %v, %v", set, err)
		}
	})
}

func TestLoadFollowsLinkInside(t *testing.T) {
	dir := folder(t, map[string]string{"sub/real.txt": configMap})
	if err := os.Symlink("sub/real.txt", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if set, err := load(t, dir); err != nil || len(set.Objects) != 1 {
		t.Errorf("got %v, %v", set, err)
	}
}

// TestLoadDoesNotWaitForPipes hangs if a pipe without a writer is opened for reading.
func TestLoadDoesNotWaitForPipes(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": configMap})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o644); err != nil {
		t.Skip(err)
	}
	_, err := load(t, dir)
	wantError(t, err, "pipe.yaml: is not a regular file")

	w := &walker{files: map[string][]byte{}}
	if w.root, err = os.OpenRoot(dir); err != nil {
		t.Fatal(err)
	}
	defer w.root.Close()
	if err := w.readFile("pipe.yaml"); err != nil || len(w.findings) != 1 || len(w.files) != 0 {
		t.Errorf("got %v, %v", w.findings, err)
	}
}
