package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Format is the version of bundles that this package writes and reads.
const Format = 1

// Bounds of what is read.
const (
	maxManifest = 1 << 20 // bytes of manifest.json
	maxFiles    = 500
	maxFile     = 8<<30 - 1 // bytes of a file in the bundle: what a plain tar header can say
	maxUnpacked = 16 << 30  // bytes of an image archive
	maxSmall    = 32 << 20  // bytes of a chart, of CRDs, of kind's configuration: these are read into memory
)

// Manifest is a bundle's table of contents, its first entry.
type Manifest struct {
	Format int `json:"format"`
	// CreatedBy is coalmine's version.
	CreatedBy string `json:"createdBy"`
	// Meshes names the mesh that the bundle is complete for, in the eyes of that version, or none.
	Meshes []string `json:"meshes"`
	// Arch is the processor that the images are for, in Go's words.
	Arch string `json:"arch"`

	Node   *NodeFiles  `json:"node,omitempty"`
	Own    *ImageFile  `json:"own,omitempty"`
	Images []ImageFile `json:"images,omitempty"`
	Charts []ChartFile `json:"charts,omitempty"`
	CRDs   []CRDFile   `json:"crds,omitempty"`
	// Mesh is nil in a bundle for Linkerd.
	Mesh *Mesh `json:"mesh,omitempty"`
}

// NodeFiles are the node image and kind's configuration, either of which may be missing.
type NodeFiles struct {
	Ref     string `json:"ref,omitempty"`
	Archive *File  `json:"archive,omitempty"`
	Config  *File  `json:"config,omitempty"`
}

// ImageFile is a docker archive.
type ImageFile struct {
	Refs []string `json:"refs"`
	File File     `json:"file"`
}

// ChartFile is a packaged chart.
type ChartFile struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    File   `json:"file"`
}

// CRDFile are CRDs as YAML.
type CRDFile struct {
	Name string `json:"name"`
	File File   `json:"file"`
}

// File is an entry of the bundle.
type File struct {
	Path string `json:"path"`
	// Size and SHA256 (hexadecimal digits) are of the bytes as they are stored.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Unpacked is the size in bytes of what was compressed with zstd; 0 is for a file that is stored as it is.
	Unpacked int64 `json:"unpacked,omitempty"`
}

// small tells files that are read whole.
func (f File) small() bool { return f.Unpacked == 0 }

// Files are all entries but the manifest's own, in their order in the bundle.
func (m *Manifest) Files() []File {
	var files []File
	for _, c := range m.Charts {
		files = append(files, c.File)
	}
	for _, c := range m.CRDs {
		files = append(files, c.File)
	}
	if m.Node != nil && m.Node.Config != nil {
		files = append(files, *m.Node.Config)
	}
	if m.Own != nil {
		files = append(files, m.Own.File)
	}
	for _, i := range m.Images {
		files = append(files, i.File)
	}
	if m.Node != nil && m.Node.Archive != nil {
		files = append(files, *m.Node.Archive)
	}
	return files
}

// decode reads a manifest strictly.
func decode(data []byte) (*Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if version.Format != Format {
		return nil, inputError("use the coalmine that made it, or make a new one with `coalmine bundle create`",
			"%s: the bundle has format %d, and this coalmine reads format %d", manifestName, version.Format, Format)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	return m, nil
}

// check says what no bundle of ours would hold. What it lets through is safe to read.
func (m *Manifest) check() error {
	files := m.Files()
	if len(files) > maxFiles {
		return fmt.Errorf("%d files are more than %d", len(files), maxFiles)
	}
	seen := &uniqueNames{seen: map[string]bool{}}
	for _, f := range files {
		if err := f.check(); err != nil {
			return err
		}
		seen.add("file", f.Path)
	}
	for _, c := range m.Charts {
		seen.add("chart", c.Name)
		if !isPlain(c.Name) || !c.File.small() {
			return fmt.Errorf("%q is no chart", c.Name)
		}
	}
	for _, c := range m.CRDs {
		seen.add("CRDs", c.Name)
		if !isPlain(c.Name) || !c.File.small() {
			return fmt.Errorf("%q are no CRDs", c.Name)
		}
	}
	if err := m.checkImages(seen); err != nil {
		return err
	}
	if m.Mesh != nil {
		if err := m.Mesh.check(m.Images); err != nil {
			return err
		}
	}
	return seen.err
}

func (m *Manifest) checkImages(seen *uniqueNames) error {
	all := slices.Clone(m.Images)
	if m.Own != nil {
		all = append(all, *m.Own)
	}
	if n := m.Node; n != nil {
		if n.Config != nil && !n.Config.small() {
			return fmt.Errorf("%s is no configuration", n.Config.Path)
		}
		if n.Archive != nil {
			all = append(all, ImageFile{[]string{n.Ref}, *n.Archive})
		}
	}
	for _, i := range all {
		if i.File.small() || len(i.Refs) == 0 {
			return fmt.Errorf("%s is no image archive", i.File.Path)
		}
		for _, ref := range i.Refs {
			full, err := fullRef(ref)
			if err != nil {
				return fmt.Errorf("%s: %w", i.File.Path, err)
			}
			seen.add("image", full)
		}
	}
	return seen.err
}

// uniqueNames finds what is there twice.
type uniqueNames struct {
	seen map[string]bool
	err  error
}

func (u *uniqueNames) add(kind, name string) {
	if u.seen[kind+name] && u.err == nil {
		u.err = fmt.Errorf("%s %q is there twice", kind, name)
	}
	u.seen[kind+name] = true
}

func (f File) check() error {
	switch {
	case !fs.ValidPath(f.Path) || !isPlain(strings.ReplaceAll(f.Path, "/", "")) || len(f.Path) > 100:
		return fmt.Errorf("%q is no name of a file", f.Path)
	case f.Path == manifestName || f.Path == sumName:
		return fmt.Errorf("%s lists itself", f.Path)
	case f.Size < 0 || f.Size > maxFile || f.Unpacked < 0 || f.Unpacked > maxUnpacked:
		return fmt.Errorf("%s: %d bytes, unpacked %d, are out of bounds", f.Path, f.Size, f.Unpacked)
	case f.small() && f.Size > maxSmall:
		return fmt.Errorf("%s: %d bytes are more than %d", f.Path, f.Size, maxSmall)
	case len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
		return fmt.Errorf("%s: %q is no SHA-256", f.Path, f.SHA256)
	}
	return nil
}

// isPlain tells names without anything that means something to a shell or to a file system.
func isPlain(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && len(name) <= 100 && strings.Trim(name, letters+"._-") == "" && strings.Contains(letters, name[:1])
}

// fullRef writes an image's name in full: "docker.io/prom/prometheus:v3.11.0" for "prom/prometheus:v3.11.0". A digest is left out
// where there is a tag: docker archives know none.
func fullRef(ref string) (string, error) {
	parsed, err := name.ParseReference(withoutDigest(ref))
	if err != nil {
		return "", fmt.Errorf("%q is no name of an image: %w", ref, err)
	}
	// No name begins with a hyphen, for it may stand on a command line.
	if strings.HasPrefix(ref, "-") || strings.Contains(ref, "/-") {
		return "", fmt.Errorf("%q is no name of an image: a part of it begins with a hyphen", ref)
	}
	full := parsed.Name()
	if rest, ok := strings.CutPrefix(full, "index.docker.io/"); ok {
		full = "docker.io/" + rest
	}
	return full, nil
}

// withoutDigest takes the digest away from a name that has a tag too.
func withoutDigest(ref string) string {
	repo, digest, ok := strings.Cut(ref, "@")
	if ok && digest != "" && strings.Contains(repo[strings.LastIndex(repo, "/")+1:], ":") {
		return repo
	}
	return ref
}
