package image

import (
	"compress/gzip"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// embedded has coalmine-agent if the Makefile built this binary: see embedded/README.md.
//
//go:embed embedded
var embedded embed.FS

// embeddedAgent returns the coalmine-agent in this binary, false if there is none for the
// architecture.
func embeddedAgent(ctx context.Context, arch string) (Binary, bool, error) {
	file := fmt.Sprintf("embedded/%s-linux-%s.gz", agent, arch)
	if _, err := fs.Stat(embedded, file); errors.Is(err, fs.ErrNotExist) {
		return Binary{}, false, nil
	}
	b := Binary{Path: "the built-in " + agent, Program: agent, Arch: arch, open: func() (io.ReadCloser, error) {
		f, err := embedded.Open(file)
		if err != nil {
			return nil, err
		}
		return gzip.NewReader(f)
	}}
	return b, true, b.measure(ctx)
}
