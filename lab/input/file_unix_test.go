//go:build unix

package input_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coalmine/lab/input"
)

func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	return name
}

func TestReadFileRefuses(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, want string }{
		{"a pipe without a writer", fifo(t), "is a pipe that nothing was written to"},
		{"an endless device", "/dev/zero", "/dev/zero is not a regular file"},
		{"a folder", t.TempDir(), "is a folder"},
		{"a large file", large, "has more than 4 bytes"},
	} {
		_, err := input.ReadFile(t.Context(), c.file, 4)
		var invalid *input.Error
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want an input error: %s", c.name, err, c.want)
		}
	}
}

// openBoth opens a pipe for reading by [input.OpenFile], and for writing.
func openBoth(t *testing.T, ctx context.Context) (io.ReadCloser, *os.File) {
	t.Helper()
	name := fifo(t)
	r, err := input.OpenFile(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return r, w
}

func TestOpenFileWaitsForWhatIsWritten(t *testing.T) {
	r, w := openBoth(t, t.Context())
	go func() {
		_, _ = w.WriteString("late")
		w.Close()
	}()
	if data, err := io.ReadAll(r); err != nil || string(data) != "late" {
		t.Errorf("read %q, error %v", data, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenFileWaitsUntilTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := openBoth(t, ctx)
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(r)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOpenRootRefusesPipes(t *testing.T) {
	if _, err := input.OpenRoot(fifo(t)); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error %v", err)
	}
}

func TestCreateFileDoesNotWaitForReaders(t *testing.T) {
	if _, err := input.CreateFile(fifo(t)); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("error %v", err)
	}
}
