package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dockerArchive is a small docker archive: nothing here reads layers.
func dockerArchive(t *testing.T, refs ...string) []byte {
	t.Helper()
	index, err := json.Marshal([]map[string]any{{"Config": "c.json", "RepoTags": refs, "Layers": []string{"l.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	layer := strings.Repeat("a layer of "+refs[0]+"\n", 5000)
	return tarOf(t, tarFile{"c.json", "{}"}, tarFile{"l.tar", layer}, tarFile{"manifest.json", string(index)})
}

type tarFile struct{ name, text string }

func tarOf(t testing.TB, files ...tarFile) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if err := entry(w, f.name, int64(len(f.text)), strings.NewReader(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func archiveOf(t *testing.T, refs ...string) Archive {
	data := dockerArchive(t, refs...)
	return NewArchive(refs, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}

// contents has one item of each kind.
func contents(t *testing.T) Contents {
	node, own := archiveOf(t, "docker.io/kindest/node:v1"), archiveOf(t, "coalmine.dev/coalmine:abc")
	return Contents{
		CreatedBy: "v1.2.3", Arch: "amd64", Meshes: []string{"linkerd"},
		Node: Node{Archive: &node, Config: []byte("kind: Cluster\n")}, Own: &own,
		Images: []Archive{archiveOf(t, "ghcr.io/fluxcd/flagger:1.43.0"), archiveOf(t,
			"docker.io/prom/prometheus:v3.11.0")},
		Charts: []Chart{{"flagger", "1.43.0", []byte("a chart")}},
		CRDs:   []CRDs{{"gateway-api", []byte("some CRDs")}},
		Spool:  t.TempDir(), Say: t.Logf,
	}
}

func create(t *testing.T, c Contents) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := Create(t.Context(), &buf, c); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(c.Spool)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
	return buf.Bytes()
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lab.bundle")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, a *Archive) []byte {
	t.Helper()
	r, err := a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != a.Size {
		t.Errorf("%v: %d bytes, and the size is %d", a.Refs, len(data), a.Size)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	s, err := Open(t.Context(), file(t, create(t, contents(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.String() != "bundle lab.bundle" {
		t.Errorf("it is called %q", s)
	}
	node := s.Node()
	if node.Ref != "docker.io/kindest/node:v1" || string(node.Config) != "kind: Cluster\n" {
		t.Errorf("the node is %+v", node)
	}
	for _, a := range append(s.Images(), *node.Archive, *s.Own()) {
		if got := load(t, &a); !bytes.Equal(got, dockerArchive(t, a.Refs...)) {
			t.Errorf("%v did not survive the round trip", a.Refs)
		}
	}
	if n := len(s.Images()); n != 2 {
		t.Errorf("%d images", n)
	}
	if data, err := s.Chart(t.Context(), "flagger"); string(data) != "a chart" || err != nil {
		t.Errorf("the chart is %q, %v", data, err)
	}
	if data, err := s.CRDs(t.Context(), GatewayAPI); string(data) != "some CRDs" || err != nil {
		t.Errorf("the CRDs are %q, %v", data, err)
	}
	for _, missing := range []func(context.Context, string) ([]byte, error){s.Chart, s.CRDs} {
		if _, err := missing(t.Context(), "linkerd-crds"); !errors.Is(err, ErrMissing) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestEmptyBundle(t *testing.T) {
	s, err := Open(t.Context(), file(t, create(t, Contents{Spool: t.TempDir(), Say: t.Logf})))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Own() != nil || len(s.Images()) > 0 || s.Node().Ref != "" || s.Node().Archive != nil {
		t.Errorf("there is %+v in it", s)
	}
}

func TestSameContentsSameBytes(t *testing.T) {
	if !bytes.Equal(create(t, contents(t)), create(t, contents(t))) {
		t.Error("two bundles of the same contents differ")
	}
}

func TestVerify(t *testing.T) {
	data := create(t, contents(t))
	b, err := read(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := b.Verify(t.Context(), func(File) { n++ }); err != nil || n != 7 {
		t.Errorf("%d files intact, %v", n, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := b.Verify(stopped, func(File) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestEveryByteCounts changes one byte anywhere: the contents of the bundle must not change without
// an error.
func TestEveryByteCounts(t *testing.T) {
	data := create(t, contents(t))
	noticed := 0
	for at := 0; at < len(data); at += 61 {
		changed := slices.Clone(data)
		changed[at] ^= 0x10
		b, err := read(t.Context(), bytes.NewReader(changed), int64(len(changed)))
		if err == nil {
			err = b.Verify(t.Context(), func(File) {})
		}
		if err == nil {
			// Padding and parts of headers have no meaning.
			for _, f := range b.Manifest.Files() {
				if lo := int(b.offsets[f.Path]); at >= lo && at < lo+int(f.Size) {
					t.Fatalf("byte %d of %s changed unnoticed", at-lo, f.Path)
				}
			}
			continue
		}
		noticed++
	}
	if noticed == 0 {
		t.Error("no change was noticed")
	}
}

// TestDamageIsReportedAtTheEnd reads as Docker and containerd do, which stop at the end of the tar.
func TestDamageIsReportedAtTheEnd(t *testing.T) {
	data := create(t, contents(t))
	b, err := read(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f := b.Manifest.Images[0].File
	data[b.offsets[f.Path]+f.Size-1] ^= 1 // in the checksum of zstd's frame
	r, err := b.archive(b.Manifest.Images[0]).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 512)); err != nil {
		t.Logf("read: %v", err)
	}
	if err := r.Close(); err == nil {
		t.Error("the archive is damaged, and Close does not report it")
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	data := create(t, contents(t))
	b, err := read(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r, err := b.archive(b.Manifest.Images[0]).Open(ctx)
	if err == nil {
		_, err = io.ReadAll(r)
		if closed := r.Close(); !errors.Is(closed, context.Canceled) {
			t.Errorf("Close: %v", closed)
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	bad := errors.New("no network")
	failing := NewArchive([]string{"a/b:c"}, func(context.Context) (io.ReadCloser, error) { return nil, bad })
	other := archiveOf(t, "a/b:c")
	other.Refs = []string{"a/other:c"}
	text := NewArchive([]string{"a/b:c"}, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("text")), nil
	})
	for name, test := range map[string]struct {
		change func(*Contents)
		want   string
	}{
		"an archive that can't be opened": {func(c *Contents) { c.Images = []Archive{failing} }, "no network"},
		"an archive of something else": {func(c *Contents) { c.Images = []Archive{other} },
			"the archive has docker.io/a/b:c"},
		"an archive that is none": {func(c *Contents) { c.Images = []Archive{text} }, "not a docker archive"},
		"an image twice": {func(c *Contents) { c.Images = append(c.Images, c.Images[0]) },
			"exists twice"},
		"a chart with a path": {func(c *Contents) { c.Charts[0].Name = "../flagger" }, `charts/../flagger.tgz`},
	} {
		t.Run(name, func(t *testing.T) {
			c := contents(t)
			test.change(&c)
			if _, err := Create(t.Context(), io.Discard, c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	full := errors.New("disk full")
	if _, err := Create(t.Context(), failingWriter{full}, contents(t)); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// forged makes a bundle by hand, with a matching checksum of the manifest.
func forged(t testing.TB, manifest string, files ...tarFile) []byte {
	t.Helper()
	sum := fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(manifest)), manifestName)
	return tarOf(t, append([]tarFile{{manifestName, manifest}, {sumName, sum}}, files...)...)
}

func TestHostileBundles(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("text")))
	crd := func(name, path string, size, unpacked int64) string {
		return fmt.Sprintf(`{"name":%q,"file":{"path":%q,"size":%d,"sha256":%q,"unpacked":%d}}`, name, path, size, sum,
			unpacked)
	}
	crds := func(list ...string) string { return `{"format":1,"crds":[` + strings.Join(list, ",") + `]}` }
	image := func(refs string, unpacked int64) string {
		return fmt.Sprintf(`{"refs":%s,"file":{"path":"i","size":4,"sha256":%q,"unpacked":%d}}`, refs, sum, unpacked)
	}
	whole := create(t, contents(t))
	link := linked(t)
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":          {nil, "not a bundle"},
		"text":           {[]byte(strings.Repeat("text", 1000)), "not a bundle"},
		"another tar":    {dockerArchive(t, "a/b:c"), "not a bundle"},
		"a newer format": {forged(t, `{"format":2,"news":true}`), "format 2; this coalmine reads format 1"},
		"no format":      {forged(t, `{}`), "format 0"},
		"no JSON":        {forged(t, `format: 1`), "manifest.json"},
		"escapes in a version": {forged(t, `{"format":1,"createdBy":"\u001b]0;x\u0007"}`),
			"is not a name or version"},
		"escapes in an architecture": {forged(t, `{"format":1,"arch":"amd64\u202e"}`), "is not a name or version"},
		"an unknown field":           {forged(t, `{"format":1,"hooks":["rm"]}`), "hooks"},
		"a huge manifest": {forged(t, `{"format":1}`+strings.Repeat(" ", maxManifest)),
			"exceed the limit"},
		"a changed manifest": {tarOf(t, tarFile{manifestName, `{"format":1}`}, tarFile{sumName, "0000"}),
			"does not match its checksum"},
		"no checksum":        {tarOf(t, tarFile{manifestName, `{"format":1}`}), "the bundle ends before it"},
		"half of it":         {whole[:len(whole)/2], "the bundle ends before it"},
		"without its end":    {whole[:len(whole)-2048], "ends"},
		"something after it": {append(slices.Clone(whole), "more"...), "4 bytes follow the end"},
		"a file too many":    {forged(t, `{"format":1}`, tarFile{"x", "text"}), `found "x"`},
		"a file missing":     {forged(t, crds(crd("a", "a", 4, 0))), "the bundle ends before it"},
		"files in other order": {forged(t, crds(crd("a", "a", 4, 0), crd("b", "b", 4, 0)), tarFile{"b", "text"},
			tarFile{"a",
				"text"}), `found "b" where a should be`},
		"another size": {forged(t, crds(crd("a", "a", 5, 0)), tarFile{"a", "text"}),
			"has 4 bytes, want 5"},
		"a link":               {link, "is not a regular file"},
		"a path upwards":       {forged(t, crds(crd("a", "../a", 4, 0))), `"../a" is not a valid`},
		"a path from the root": {forged(t, crds(crd("a", "/a", 4, 0))), `"/a" is not a valid`},
		"a path of Windows":    {forged(t, crds(crd("a", `a\b`, 4, 0))), "is not a valid file name"},
		"a path with a line":   {forged(t, crds(crd("a", "a\nb", 4, 0))), "is not a valid file name"},
		"lists itself":         {forged(t, crds(crd("a", manifestName, 4, 0))), "lists itself"},
		"a huge file":          {forged(t, crds(crd("a", "a", maxFile+1, 1))), "out of range"},
		"a negative size":      {forged(t, crds(crd("a", "a", -1, 0))), "out of range"},
		"huge CRDs":            {forged(t, crds(crd("a", "a", maxSmall+1, 0))), "exceed the limit"},
		"compressed CRDs":      {forged(t, crds(crd("a", "a", 4, 9))), "are not CRDs"},
		"CRDs twice":           {forged(t, crds(crd("a", "a", 4, 0), crd("a", "b", 4, 0))), `CRDs "a" exists twice`},
		"a file twice":         {forged(t, crds(crd("a", "a", 4, 0), crd("b", "a", 4, 0))), `file "a" exists twice`},
		"no checksum of files": {forged(t, strings.ReplaceAll(crds(crd("a", "a", 4, 0)), sum, "abc")),
			"is not a SHA-256"},
		"an image without name": {forged(t, `{"format":1,"images":[`+image(`[]`, 9)+`]}`), "is not an image archive"},
		"a wrong image name": {forged(t, `{"format":1,"images":[`+image(`["-rm :x"]`, 9)+`]}`),
			"is not a valid image name"},
		"an image uncompressed": {forged(t, `{"format":1,"images":[`+image(`["a/b:c"]`, 0)+`]}`),
			"is not an image archive"},
		"an image twice": {forged(t, `{"format":1,"own":`+image(`["prom/p:c","docker.io/prom/p:c"]`, 9)+`}`),
			"exists twice"},
		"too many files": {forged(t, crds(manyCRDs(crd)...)), "501 files exceed the limit of 500"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t.Context(), bytes.NewReader(test.data), int64(len(test.data)))
			var input *InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %#v, want an InputError with %q in it", err, test.want)
			}
		})
	}
}

func manyCRDs(crd func(string, string, int64, int64) string) []string {
	var list []string
	for i := range maxFiles + 1 {
		list = append(list, crd(fmt.Sprintf("n%d", i), fmt.Sprintf("f%d", i), 0, 0))
	}
	return list
}

// linked has a symbolic link in place of the manifest.
func linked(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: manifestName, Typeflag: tar.TypeSymlink,
		Linkname: "/etc/passwd"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestBombs covers files that unpack to more or less than the manifest says.
func TestBombs(t *testing.T) {
	var packed bytes.Buffer
	f := File{}
	if err := squeeze(t.Context(), &packed, bytes.NewReader(dockerArchive(t, "a/b:c")), []string{"a/b:c"},
		&f); err != nil {
		t.Fatal(err)
	}
	for want, unpacked := range map[string]int64{"unpacks to more than its": f.Unpacked - 1,
		", want ": f.Unpacked + 1} {
		m := fmt.Sprintf(
			`{"format":1,"images":[{"refs":["a/b:c"],"file":{"path":"i","size":%d,"sha256":%q,"unpacked":%d}}]}`,
			f.Size, f.SHA256, unpacked)
		data := forged(t, m, tarFile{"i", packed.String()})
		b, err := read(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.archive(b.Manifest.Images[0]).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(r)
		if closed := r.Close(); err == nil || !strings.Contains(err.Error(), want) || closed == nil {
			t.Errorf("reading: %v; closing: %v", err, closed)
		}
	}
}

// FuzzRead checks that nothing outside the opened range is read, and that verified bundles can be
// read.
func FuzzRead(f *testing.F) {
	f.Add(forged(f, `{"format":1}`))
	f.Add(forged(f, fmt.Sprintf(`{"format":1,"crds":[{"name":"a","file":{"path":"a","size":4,"sha256":"%x"}}]}`,
		sha256.Sum256([]byte("text"))), tarFile{"a",
		"text"}))
	f.Fuzz(readAny)
}

// FuzzManifest gets past the checksum of the manifest.
func FuzzManifest(f *testing.F) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("text")))
	f.Add(`{"format":1,"crds":[{"name":"a","file":{"path":"a","size":4,"sha256":"`+sum+`"}}]}`, "a", "text")
	f.Add(`{"format":1,"node":{"ref":"a/b:c","config":{"path":"a","size":4,"sha256":"`+sum+`"}}}`, "a", "text")
	f.Add(`{"format":1,"images":[{"refs":["a/b:c"],"file":{"path":"a","size":4,"sha256":"`+sum+`","unpacked":5}}]}`,
		"a", "text")
	f.Fuzz(func(t *testing.T, manifest, path, text string) {
		if path == "" || len(path) > 100 || strings.HasSuffix(path, "/") ||
			strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r > '~' }) {
			return // archive/tar does not write it
		}
		readAny(t, forged(t, manifest, tarFile{path, text}))
	})
}

func readAny(t *testing.T, data []byte) {
	b, err := read(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	for _, f := range b.Manifest.Files() {
		if at := b.offsets[f.Path]; at < 0 || f.Size < 0 || at+f.Size > int64(len(data)) || !filepath.IsLocal(f.Path) {
			t.Errorf("%s: %d bytes at %d of %d", f.Path, f.Size, at, len(data))
		}
	}
	if b.Verify(t.Context(), func(File) {}) != nil {
		return
	}
	for _, c := range b.Manifest.CRDs {
		if got, err := b.CRDs(t.Context(), c.Name); err != nil || int64(len(got)) != c.File.Size {
			t.Errorf("%s: %d bytes, %v", c.Name, len(got), err)
		}
	}
	for _, i := range b.Manifest.Images {
		r, err := b.archive(i).Open(t.Context())
		if err != nil {
			continue
		}
		n, err := io.Copy(io.Discard, readerOnly{r})
		if closed := r.Close(); err == nil && (closed != nil || n != i.File.Unpacked) {
			t.Errorf("%v: %d bytes, %v", i.Refs, n, closed)
		}
	}
}

// renamed is a bundle whose manifest has other names for its images than the archives.
func renamed(t *testing.T, data []byte, from, to string) []byte {
	t.Helper()
	var files []tarFile
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		text, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		files = append(files, tarFile{h.Name, string(text)})
	}
	if !strings.Contains(files[0].text, from) {
		t.Fatalf("%s is not in %s", from, files[0].text)
	}
	return forged(t, strings.ReplaceAll(files[0].text, from, to), files[2:]...)
}

func TestVerifyComparesTheNamesOfImages(t *testing.T) {
	whole := create(t, contents(t))
	for _, from := range []string{"docker.io/kindest/node:v1", "coalmine.dev/coalmine:abc",
		"ghcr.io/fluxcd/flagger:1.43.0"} {
		b, err := Open(t.Context(), file(t, renamed(t, whole, from, "docker.io/library/alpine:latest")))
		if err != nil {
			t.Fatal(err)
		}
		var input *InputError
		if err := b.Verify(t.Context(), func(File) {}); !errors.As(err, &input) ||
			!strings.Contains(err.Error(), from) {
			t.Errorf("%s: %v", from, err)
		}
		b.Close()
	}
}
