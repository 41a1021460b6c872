package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// binaryOf makes a binary with any content: [Build] does not depend on it.
func binaryOf(t *testing.T, content string) Binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coalmine")
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	digest, size, err := hashOf(context.Background(), func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return Binary{
		Path: path, Program: Coalmine, SHA256: digest.Hex, Size: size, Arch: "amd64",
		open: func() (io.ReadCloser, error) { return os.Open(path) },
	}
}

func build(t *testing.T, b Binary) (ref string, archive []byte) {
	t.Helper()
	var buf bytes.Buffer
	ref, err := Build(&buf, b)
	if err != nil {
		t.Fatal(err)
	}
	return ref, buf.Bytes()
}

func TestImageContents(t *testing.T) {
	ref, archive := build(t, binaryOf(t, "program"))
	if want := "coalmine.dev/coalmine:"; !strings.HasPrefix(ref, want) || len(ref) != len(want)+16 {
		t.Errorf("the image is called %s", ref)
	}
	img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/coalmine" || c.User != "" ||
		config.OS != "linux" || config.Architecture != "amd64" {
		t.Errorf("the configuration is %+v", config)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := contents(t, r)
	if got := files["coalmine"]; got.mode != 0o755 || got.text != "program" {
		t.Errorf("the binary is %+v", got)
	}
	if got := files["tmp/"]; got.mode != 0o1777 {
		t.Errorf("/tmp is %+v", got)
	}
	for name, want := range map[string]string{"etc/passwd": "nobody:x:65534:65534:", "etc/group": "nobody:x:65534:"} {
		if got := files[name]; got.mode != 0o644 || !strings.Contains(got.text, want) || !strings.Contains(got.text,
			"root:x:0:") {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

type content struct {
	mode int64
	text string
}

func contents(t *testing.T, r io.Reader) map[string]content {
	t.Helper()
	files := map[string]content{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s is of %d:%d at %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		files[h.Name] = content{h.Mode, string(text)}
	}
}

func TestSameBinarySameImage(t *testing.T) {
	ref, archive := build(t, binaryOf(t, "program"))
	again, other := binaryOf(t, "program"), binaryOf(t, "another")
	if r, a := build(t, again); r != ref || !bytes.Equal(a, archive) {
		t.Errorf("%s and %s are of the same binary", ref, r)
	}
	if r, _ := build(t, other); r == ref {
		t.Errorf("another binary gave %s too", r)
	}
}

func TestBinaryChangesWhileRead(t *testing.T) {
	b := binaryOf(t, "program")
	w := writer(func(p []byte) (int, error) {
		return len(p), os.WriteFile(b.Path, []byte("PROGRAM"), 0o700)
	})
	if _, err := Build(w, b); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("the error is %v", err)
	}
}

func TestWriteError(t *testing.T) {
	full := errors.New("disk full")
	if _, err := Build(writer(func([]byte) (int, error) { return 0, full }), binaryOf(t, "program")); !errors.Is(err,
		full) {
		t.Errorf("the error is %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
