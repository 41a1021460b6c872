package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"coalmine/manifests"
)

// pushed is a registry with an image for two architectures, and the digest of the one for arm64.
func pushed(t *testing.T) (ref string, arm v1.Hash) {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	ref = u.Host + "/team/app:v1"
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := random.Image(1000, 2)
		if err != nil {
			t.Fatal(err)
		}
		if arch == "arm64" {
			if arm, err = img.ConfigName(); err != nil {
				t.Fatal(err)
			}
		}
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux",
				Architecture: arch}}})
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	return ref, arm
}

func TestImagesFromARegistry(t *testing.T) {
	ref, arm := pushed(t)
	r := Registries{Arch: "arm64"}
	a, err := r.Archive(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	b := create2(t, a)
	img, err := tarball.Image(func() (io.ReadCloser, error) { return b.Images()[0].Open(t.Context()) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	if got, err := img.ConfigName(); got != arm || err != nil {
		t.Errorf("the image is %v, want that for arm64, %v; %v", got, arm, err)
	}
	if got := b.Manifest.Images[0].Refs; !slices.Equal(got, []string{ref}) {
		t.Errorf("names %v", got)
	}
	if _, err := r.Archive(t.Context(), strings.Replace(ref, "app", "nowhere", 1)); err == nil {
		t.Error("an image that is not there was found")
	}
	var input *InputError
	if _, err := r.Archive(t.Context(), "a/b@sha256:"+strings.Repeat("0", 64)); !errors.As(err, &input) {
		t.Errorf("without a tag: %v", err)
	}
}

// create2 creates a bundle of images and opens it.
func create2(t *testing.T, images ...Archive) *Bundle {
	t.Helper()
	b, err := Open(t.Context(), file(t, create(t, Contents{Images: images, Spool: t.TempDir(), Say: t.Logf})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// network is a Fetcher and a registry with everything but the given names.
type network struct {
	t       *testing.T
	without string
	asked   []string
}

var errUnreachable = errors.New("unreachable")

func (n *network) ask(what string) error {
	n.asked = append(n.asked, what)
	if what == n.without {
		return errUnreachable
	}
	return nil
}

func (n *network) pull(_ context.Context, ref string) (Archive, error) {
	return archiveOf(n.t, mustFullRef(ref)), n.ask(ref)
}

func (n *network) Chart(_ context.Context, name string) ([]byte, error) {
	return chartOf(n.t, name), n.ask(name)
}

func (n *network) CRDs(_ context.Context, name string) ([]byte, error) {
	return []byte("CRDs"), n.ask(name)
}

// chartOf is a packaged chart with that name.
func chartOf(t *testing.T, name string) []byte {
	t.Helper()
	c, err := loadChart(chartFolder(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return c.Data
}

func chartFolder(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("apiVersion: v2\nname: %s\nversion: 1.2.3\n", name)
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func order(t *testing.T, n *network) Spec {
	t.Helper()
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	return Spec{Pins: pins, Arch: "amd64", Pull: n.pull, Fetcher: n, Say: t.Logf}
}

func TestNetworkHasAllNeeds(t *testing.T) {
	n := &network{t: t}
	o := order(t, n)
	c, err := o.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Meshes, []string{"linkerd"}) {
		t.Errorf("it is complete for %v", c.Meshes)
	}
	// The node image is pulled by its digest; the archive has its tag.
	if n.asked[0] != o.Pins.Node.Image || !strings.Contains(n.asked[0], "@sha256:") ||
		strings.Contains(c.Node.Archive.Refs[0],
			"@") {
		t.Errorf("%s was pulled, and is %s", n.asked[0], c.Node.Archive.Refs)
	}
	if want := 1 + len(o.Pins.Images()) + 4 + 1 + len(o.Pins.OptionalImages()); len(n.asked) != want {
		t.Errorf("%d things were asked for, want %d: %v", len(n.asked), want, n.asked)
	}
}

func TestNamedContentsAreNotFetched(t *testing.T) {
	n := &network{t: t}
	o := order(t, n)
	o.Charts = []string{chartFolder(t, "flagger")}
	image := o.Pins.BaseImages()[0]
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, dockerArchive(t, image), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Images = []string{path}
	c, err := o.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(n.asked, "flagger") || slices.Contains(n.asked, image) {
		t.Errorf("%v were asked for", n.asked)
	}
	notes := NeedsOf(o.Pins, nil).OtherVersions((&collection{Contents: c}).manifest())
	if !slices.Contains(notes, "chart flagger is 1.2.3: this coalmine was built for 1.43.0") {
		t.Errorf("notes on the chart's version: %q", notes)
	}
	o.Images = []string{path, path}
	var input *InputError
	if _, err := o.Collect(t.Context()); !errors.As(err, &input) {
		t.Errorf("an image given twice: %v", err)
	}
}

func TestNetworkFails(t *testing.T) {
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	for _, without := range []string{pins.Node.Image, pins.BaseImages()[0], "flagger", GatewayAPI} {
		n := &network{t: t, without: without}
		o := order(t, n)
		var failed *FetchError
		if _, err := o.Collect(t.Context()); !errors.As(err, &failed) || !errors.Is(err, errUnreachable) {
			t.Errorf("without %s: %v", without, err)
		}
		o.Partial = true
		c, err := o.Collect(t.Context())
		if err != nil || len(c.Meshes) != 0 {
			t.Errorf("a partial bundle without %s is complete for %v, %v", without, c.Meshes, err)
		}
		if missing := NeedsOf(pins, nil).Missing((&collection{Contents: c}).manifest()); len(missing) != 1 {
			t.Errorf("without %s, %v are missing", without, missing)
		}
	}
}

// TestOptionalImages expects a bundle to be complete without an optional image, and to say that it has
// none, from a folder as from the network.
func TestOptionalImages(t *testing.T) {
	n := &network{t: t}
	said := ""
	o := order(t, n)
	o.Say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) + "\n" }
	optional := o.Pins.OptionalImages()[0]
	for _, n.without = range []string{"", optional} {
		said = ""
		c, err := o.Collect(t.Context())
		if err != nil || !slices.Equal(c.Meshes, []string{"linkerd"}) {
			t.Fatalf("without %q it is complete for %v, %v", n.without, c.Meshes, err)
		}
		missing := NeedsOf(o.Pins, nil).MissingOptional((&collection{Contents: c}).manifest())
		lacks := n.without != ""
		if len(missing) > 0 != lacks || strings.Contains(said, "left out the optional image "+optional) != lacks {
			t.Errorf("without %q: missing %v, said %s", n.without, missing, said)
		}
	}
	o.Folder, said, o.Partial = t.TempDir(), "", true
	if err := os.Mkdir(filepath.Join(o.Folder, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Collect(t.Context()); err != nil || !strings.Contains(said, "left out the optional image") {
		t.Errorf("%v, said %s", err, said)
	}
	path := filepath.Join(o.Folder, "images", "tester.tar")
	if err := os.WriteFile(path, dockerArchive(t, optional), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := o.Collect(t.Context())
	if err != nil || len(c.Images) != 1 || c.Images[0].Refs[0] != optional {
		t.Errorf("from the folder: %v, %v", c.Images, err)
	}
}

// meshOf is a mesh whose image an archive has.
func meshOf(t *testing.T) (*Mesh, Archive) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mesh.tar")
	if err := os.WriteFile(path, dockerArchive(t, "example.com/mesh:v1"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := ArchiveFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &Mesh{
		Name: "other", Image: "example.com/mesh:v1", Manifests: map[string]string{"other/a.yaml": "a: b"},
		Steps: []MeshStep{{Name: "all", Title: "all of it", Manifests: []string{"other/a.yaml"}}},
	}, a
}

func TestBundleWithMesh(t *testing.T) {
	n := &network{t: t}
	o := order(t, n)
	o.Mesh, o.MeshImage = meshOf(t)
	c, err := o.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Meshes, []string{"other"}) || slices.Contains(n.asked, "linkerd-viz") {
		t.Errorf("it is complete for %v, and %v were fetched", c.Meshes, n.asked)
	}
	path := filepath.Join(t.TempDir(), "x.bundle")
	if _, err := WriteFile(t.Context(), path, c); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !reflect.DeepEqual(b.Mesh(), o.Mesh) {
		t.Errorf("mesh %+v, want %+v", b.Mesh(), o.Mesh)
	}
}

func TestInvalidMeshes(t *testing.T) {
	for name, damage := range map[string]func(*Mesh){
		"Linkerd's name":   func(m *Mesh) { m.Name = "linkerd" },
		"unknown image":    func(m *Mesh) { m.Image = "example.com/mesh:v2" },
		"unknown manifest": func(m *Mesh) { m.Manifests = nil },
		"step twice":       func(m *Mesh) { m.Steps = append(m.Steps, m.Steps...) },
		"step's name":      func(m *Mesh) { m.Steps[0].Name = "a b" },
	} {
		m, a := meshOf(t)
		damage(m)
		if err := m.check([]ImageFile{{Refs: a.Refs}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestChartPackagesAreReproducible(t *testing.T) {
	if !bytes.Equal(chartOf(t, "flagger"), chartOf(t, "flagger")) {
		t.Error("two packages of the same chart differ")
	}
}

func TestFullRef(t *testing.T) {
	for ref, want := range map[string]string{
		"prom/prometheus:v3":                 "docker.io/prom/prometheus:v3",
		"index.docker.io/prom/prometheus:v3": "docker.io/prom/prometheus:v3",
		"busybox":                            "docker.io/library/busybox:latest",
		"localhost:5000/a/b:c":               "localhost:5000/a/b:c",
		"ghcr.io/a/b:c@sha256:" + fmt.Sprintf("%064d", 0): "ghcr.io/a/b:c",
		"ghcr.io/a/b@sha256:" + fmt.Sprintf("%064d", 0):   "ghcr.io/a/b@sha256:" + fmt.Sprintf("%064d", 0),
	} {
		if got, err := fullRef(ref); got != want || err != nil {
			t.Errorf("%s expands to %s, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"", "-rm", "a b", "A/B:c", "a:b:c", "a/b:$(x)"} {
		if got, err := fullRef(ref); err == nil {
			t.Errorf("%q expands to %s", ref, got)
		}
	}
}

func TestForeignArchives(t *testing.T) {
	ok := `[{"RepoTags":["a/b:c"]}]`
	for want, data := range map[string][]byte{
		"has no manifest.json":       tarOf(t, tarFile{"oci-layout", "{}"}),
		"it has manifest.json twice": tarOf(t, tarFile{"manifest.json", ok}, tarFile{"manifest.json", ok}),
		"its images have no names":   tarOf(t, tarFile{"manifest.json", `[{"RepoTags":null}]`}),
		"manifest.json: ":            tarOf(t, tarFile{"manifest.json", "text"}),
		"is not a valid image name":  tarOf(t, tarFile{"manifest.json", `[{"RepoTags":["$(x)"]}]`}),
		"exceeds 4194304 bytes":      tarOf(t, tarFile{"manifest.json", strings.Repeat(" ", maxIndex+1)}),
		"not a docker archive: unexpec": tarOf(t, tarFile{"manifest.json", ok},
			tarFile{"l", strings.Repeat("x", 9000)})[:4000],
	} {
		if refs, err := archiveRefs(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", refs, err, want)
		}
	}
}
