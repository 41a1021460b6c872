package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// OpenFile opens a regular file or a pipe that the user names. Devices are refused, as some never
// end. A pipe is read until ctx ends; if nothing has it open for writing, reading it is an error.
func OpenFile(ctx context.Context, name string) (fs.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|NonBlocking, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Mode().IsRegular():
		return f, nil
	case info.Mode()&fs.ModeNamedPipe != 0:
		// A pipe has deadlines. One that is in the past ends a read that waits.
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
		return &pipe{File: f, ctx: ctx, stop: stop}, nil
	case info.IsDir():
		err = New("", "%s is a folder", name)
	default:
		err = New("", "%s is not a regular file", name)
	}
	return nil, errors.Join(err, f.Close())
}

// ReadFile reads a file that [OpenFile] opens, of at most limit bytes.
func ReadFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	f, err := OpenFile(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = New("", "%s has more than %d bytes", name, limit)
	}
	return data, err
}

// OpenRoot opens a folder that the user names. Unlike [os.OpenRoot] it does not wait for the writer of
// a pipe.
func OpenRoot(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	return os.OpenRoot(dir)
}

// CreateFile creates or truncates a file that the user names. Without a reader, a pipe is refused.
func CreateFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|NonBlocking, 0o644)
}

// pipe is a pipe that is read until a context ends.
type pipe struct {
	*os.File
	ctx    context.Context
	stop   func() bool
	isRead bool
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fmt.Errorf("%w while reading %s", context.Cause(p.ctx), p.Name())
	case n == 0 && !p.isRead && errors.Is(err, io.EOF):
		return n, New("", "%s is a pipe that nothing was written to", p.Name())
	}
	p.isRead = true
	return n, err
}

func (p *pipe) Close() error {
	p.stop()
	return p.File.Close()
}
