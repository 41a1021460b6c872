package indexedjob

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile bounds a file of an archive in bytes: the log of a run is far smaller.
const maxFile = 1 << 30

// Pack writes a folder as an archive. A folder that is not there is empty.
func Pack(w io.Writer, dir string) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == dir:
			return nil
		case err != nil || e.IsDir():
			return err
		}
		return packFile(t, dir, name)
	})
	return errors.Join(err, t.Close(), z.Close())
}

// Send packs a folder and then waits until in ends. Of a program that ends right after its last
// bytes, the API server may lose some.
func Send(w io.Writer, in io.Reader, dir string) error {
	if err := Pack(w, dir); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

func packFile(t *tar.Writer, dir, name string) error {
	rel, err := filepath.Rel(dir, name)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := tar.Header{Name: filepath.ToSlash(rel), Typeflag: tar.TypeReg, Mode: 0o644, Size: info.Size()}
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	_, err = io.CopyN(t, f, info.Size())
	return err
}

// Receive unpacks an archive in a pod. After an error it reads the rest as well: the sender gets
// no answer before.
func Receive(in io.Reader, dir string) error {
	err := Unpack(in, dir)
	if err != nil {
		_, _ = io.Copy(io.Discard, in)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: the volume must be writable for user and group %d, as which the pods run", err, nobody)
	}
	return err
}

// Unpack writes the files of an archive into a folder, which they cannot leave.
func Unpack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	z.Multistream(false) // reads no byte after the archive
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			_, err := io.Copy(io.Discard, z) // up to the checksum
			return err
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		case h.Typeflag != tar.TypeReg || h.Size > maxFile:
			return fmt.Errorf("read the archive: %q is not a file of at most %d bytes", h.Name, maxFile)
		}
		if err := unpackFile(root, h.Name, t); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, r io.Reader) error {
	name = filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
