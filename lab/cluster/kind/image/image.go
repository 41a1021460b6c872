// Package image builds coalmine's own container image from its binary, without Docker, a registry
// or a base image. The same binary gives the same image on any machine.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"coalmine/lab/cluster/names"
)

// nobodyUID is the conventional user without privileges.
const nobodyUID = 65534

// tagLength is the number of hexadecimal digits of the binary's SHA-256 in the image's tag.
const tagLength = 16

// Ref returns the image's name and tag, as pods refer to it: "coalmine.dev/coalmine-agent:0123…".
func (b Binary) Ref() string {
	return names.ImageRegistry + "/" + b.Program + ":" + b.SHA256[:tagLength]
}

// Build writes the image as a docker archive and returns its name. The layer is not compressed: an
// archive for a node on the same machine would only be decompressed again.
func Build(w io.Writer, b Binary) (ref string, err error) {
	tag, err := name.NewTag(b.Ref(), name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("name the image of %s: %w", b.Path, err)
	}
	img, err := newImage(b)
	if err != nil {
		return "", err
	}
	if err := tarball.Write(tag, img, w); err != nil {
		return "", fmt.Errorf("write the image of %s: %w", b.Path, err)
	}
	return b.Ref(), nil
}

// newImage assembles the image. Pods choose the user.
func newImage(b Binary) (v1.Image, error) {
	l, err := newLayer(b)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return nil, fmt.Errorf("assemble the image of %s: %w", b.Path, err)
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{
		Architecture: b.Arch, OS: "linux",
		Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{l.digest}},
		History: []v1.History{{Created: v1.Time{Time: time.Unix(0, 0).UTC()}, CreatedBy: "coalmine"}},
		Config:  v1.Config{Entrypoint: []string{"/" + b.Program}, WorkingDir: "/"},
	})
}

// writeLayer writes the files of the image. Tar headers have no times and no owner but root.
func writeLayer(w io.Writer, b Binary) error {
	t := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		kind byte
		mode int64
		text string
	}{
		{name: "etc/", kind: tar.TypeDir, mode: 0o755},
		{name: "etc/passwd", kind: tar.TypeReg, mode: 0o644, text: fmt.Sprintf(
			"root:x:0:0:root:/:/sbin/nologin\nnobody:x:%[1]d:%[1]d:nobody:/:/sbin/nologin\n", nobodyUID)},
		{name: "etc/group", kind: tar.TypeReg, mode: 0o644, text: fmt.Sprintf("root:x:0:\nnobody:x:%d:\n", nobodyUID)},
		{name: "tmp/", kind: tar.TypeDir, mode: 0o1777},
	} {
		if err := writeFile(t, tar.Header{Name: f.name, Typeflag: f.kind, Mode: f.mode, Size: int64(len(f.text))},
			bytes.NewBufferString(f.text)); err != nil {
			return err
		}
	}
	binary, err := b.open()
	if err != nil {
		return err
	}
	defer binary.Close()
	if err := writeFile(t, tar.Header{Name: b.Program, Typeflag: tar.TypeReg, Mode: 0o755, Size: b.Size},
		binary); err != nil {
		return err
	}
	return t.Close()
}

func writeFile(t *tar.Writer, h tar.Header, r io.Reader) error {
	h.Format, h.ModTime = tar.FormatUSTAR, time.Unix(0, 0)
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	n, err := io.Copy(t, r)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != h.Size {
		return errChanged
	}
	return err
}

// hashOf returns the SHA-256 and the size of what write writes.
func hashOf(ctx context.Context, write func(io.Writer) error) (v1.Hash, int64, error) {
	h := sha256.New()
	n := &countingWriter{w: h, ctx: ctx}
	if err := write(n); err != nil {
		return v1.Hash{}, 0, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", h.Sum(nil))}, n.n, nil
}

// countingWriter counts the bytes written, until its context ends.
type countingWriter struct {
	w   io.Writer
	ctx context.Context
	n   int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
