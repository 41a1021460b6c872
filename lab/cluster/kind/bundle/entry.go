package bundle

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the decoder's memory in bytes: what the encoder uses at its usual levels.
const maxWindow = 8 << 20

// openStored reads the bytes of a file as stored, and ends with an error if they do not match the
// manifest.
func (b *Bundle) openStored(ctx context.Context, f File) io.Reader {
	return &storedReader{ctx: ctx, r: io.NewSectionReader(b.file, b.offsets[f.Path], f.Size), file: f,
		sum: sha256.New()}
}

type storedReader struct {
	ctx  context.Context
	r    io.Reader
	file File
	sum  hash.Hash
}

func (s *storedReader) Read(p []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	if err == io.EOF && fmt.Sprintf("%x", s.sum.Sum(nil)) != s.file.SHA256 {
		err = inputError(hintBroken, "%s: wrong checksum: the bundle is damaged", s.file.Path)
	}
	return n, err
}

// readSmall reads a file that is not compressed.
func (b *Bundle) readSmall(ctx context.Context, f File) ([]byte, error) {
	return io.ReadAll(b.openStored(ctx, f))
}

// open reads a compressed file.
func (b *Bundle) open(ctx context.Context, f File) (io.ReadCloser, error) {
	d, err := zstd.NewReader(b.openStored(ctx, f), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return &decompressor{decoder: d, file: f}, nil
}

// decompressor decompresses a file, up to the size in the manifest.
type decompressor struct {
	decoder *zstd.Decoder
	file    File
	n       int64
	err     error
}

func (u *decompressor) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.decoder.Read(p)
	u.n += int64(n)
	switch {
	case u.n > u.file.Unpacked:
		n, err = 0, inputError(hintBroken, "%s: unpacks to more than its %d bytes", u.file.Path, u.file.Unpacked)
	case err == io.EOF && u.n < u.file.Unpacked:
		err = inputError(hintBroken, "%s: unpacks to %d bytes, want %d", u.file.Path, u.n, u.file.Unpacked)
	case err != nil && err != io.EOF:
		err = fmt.Errorf("%s: %w", u.file.Path, err)
	}
	u.err = err
	return n, err
}

// Close reads the rest: the checksum is known only at the end.
func (u *decompressor) Close() error {
	defer u.decoder.Close()
	if _, err := io.Copy(io.Discard, readerOnly{u}); err != nil {
		return err
	}
	return nil
}

// readerOnly hides other methods from io.Copy.
type readerOnly struct{ io.Reader }
