//go:build unix

package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadersDoNotWaitForPipes hangs if a pipe without a writer is opened for reading.
func TestReadersDoNotWaitForPipes(t *testing.T) {
	dir := record(t)
	for _, name := range []string{"scenario/scenario.yaml", "guardrails/canary.yaml", faulty7.eventsPath()} {
		full := filepath.Join(dir, name)
		os.Remove(full)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(full, 0o644); err != nil {
			t.Skip(err)
		}
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const want = "is not a regular file"
	scenario, err := f.Scenario()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(scenario, "scenario.yaml"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("scenario: %v", err)
	}
	if _, err := f.Manifests(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("guardrails: %v", err)
	}
	if _, err := f.Events(faulty7); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("events: %v", err)
	}
}
