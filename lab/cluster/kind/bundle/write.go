package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CheckOutput returns an error if a bundle must not be written to path: the folder does not exist,
// or the file does and is not a bundle.
func CheckOutput(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return inputError("create the folder first, or give another name", "%s is not a folder", dir)
	}
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	b, err := Open(ctx, path)
	if err != nil {
		return inputError("give another name, or delete the file", "%s exists and is not a bundle", path)
	}
	return b.Close()
}

// WriteFile creates a bundle at path. The file appears there once it is complete.
func WriteFile(ctx context.Context, path string, c Contents) (Manifest, error) {
	w, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return Manifest{}, fmt.Errorf("write the bundle: %w", err)
	}
	defer os.Remove(w.Name()) // it was renamed if all went well
	m, err := Create(ctx, w, c)
	if err = errors.Join(err, w.Chmod(0o644), w.Close()); err != nil {
		return m, err
	}
	return m, os.Rename(w.Name(), path)
}
