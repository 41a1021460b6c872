package loadtest

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"coalmine/lab/input"
	"coalmine/loadgen/results"
)

// outputFile is a file that is written while a load test runs.
type outputFile struct {
	flag string
	w    io.Writer
	// file is nil for standard output.
	file *os.File
	// isNew is set if the file did not exist.
	isNew bool
	*bufio.Writer
}

// createFile opens a file for writing, or standard output. Unless Force is set, it never overwrites
// a file, which may hold the results of another test; pipes and devices are written to.
func (o OutputOptions) createFile(ctx context.Context, flag, name, path string) (*outputFile, error) {
	if name == Stdout {
		return newOutputFile(flag, o.Stdout), nil
	}
	isNew := false
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		isNew = true
	case err == nil && info.Mode().IsRegular() && !o.Force:
		return nil, input.New("name another file, or overwrite this one with --force", "--%s: %s already exists", flag,
			name)
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if isNew {
		mode = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	}
	file, err := openWaiting(ctx, path, mode)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("--%s: %w", flag, err)
	case err != nil:
		return nil, input.New("name a file that can be written", "--%s: %w", flag, err)
	}
	f := newOutputFile(flag, file)
	f.file, f.isNew = file, isNew
	return f, nil
}

func newOutputFile(flag string, w io.Writer) *outputFile {
	return &outputFile{flag: flag, w: w, Writer: bufio.NewWriterSize(w, 64<<10)}
}

// openWaiting opens a file. Opening a named pipe waits for its other end, at most until ctx ends.
func openWaiting(ctx context.Context, path string, mode int) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(path, mode, 0o644)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w while waiting for the other end of %s", context.Cause(ctx), path)
	}
}

// Close returns the first error of all writes. That the reader of a pipe wants no more is none.
func (o *outputFile) Close() error {
	err := o.Flush()
	if o.file != nil {
		err = cmp.Or(err, o.file.Close())
	}
	return o.failure(err)
}

func (o *outputFile) failure(err error) error {
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return fmt.Errorf("--%s: %w", o.flag, err)
}

// remove removes the file if it is new.
func (o *outputFile) remove() error {
	if !o.isNew {
		return nil
	}
	return os.Remove(o.file.Name())
}

// WriteResults writes the files of results that were not measured by a test but merged.
func (o Options) WriteResults(ctx context.Context, r *results.Results) error {
	for _, want := range []struct {
		flag, path string
		write      func(io.Writer) error
	}{{"save", o.Output.Save, r.WriteDocument}, {"hdr", o.Output.HDR, r.WriteLog}} {
		if want.path == "" {
			continue
		}
		f, err := o.Output.createFile(ctx, want.flag, want.path, o.path(want.path))
		if err != nil {
			return err
		}
		if err := cmp.Or(want.write(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
