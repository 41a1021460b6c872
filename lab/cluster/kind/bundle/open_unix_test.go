//go:build unix

package bundle

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpenDoesNotWaitForPipes hangs if a pipe without a writer is opened for reading.
func TestOpenDoesNotWaitForPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	var input *InputError
	if _, err := Open(t.Context(), pipe); !errors.As(err, &input) {
		t.Errorf("error %v, want that it is not a regular file", err)
	}
}
