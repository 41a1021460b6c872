package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
)

// Format is the version of the bundle format that this package writes and reads.
const Format = 1

// Limits for reading.
const (
	maxManifest = 1 << 20 // bytes of manifest.json
	maxFiles    = 500
	maxFile     = 8<<30 - 1 // bytes of a file in the bundle: the maximum of a plain tar header
	maxUnpacked = 16 << 30  // bytes of an image archive
	maxSmall    = 32 << 20  // bytes of a chart, of CRDs, of a kind configuration: these are read into memory
)

// Manifest lists the contents of a bundle. It is the first entry.
type Manifest struct {
	Format int `json:"format"`
	// CreatedBy is coalmine's version.
	CreatedBy string `json:"createdBy"`
	// Meshes names the mesh that this version found the bundle complete for, if any.
	Meshes []string `json:"meshes"`
	// Arch is the processor architecture of the images, in Go's terms.
	Arch string `json:"arch"`

	Node   *NodeFiles  `json:"node,omitempty"`
	Own    *ImageFile  `json:"own,omitempty"`
	Images []ImageFile `json:"images,omitempty"`
	Charts []ChartFile `json:"charts,omitempty"`
	CRDs   []CRDFile   `json:"crds,omitempty"`
	// Mesh is nil in a bundle for Linkerd.
	Mesh *Mesh `json:"mesh,omitempty"`
}

// NodeFiles are the node image and the kind configuration; either may be missing.
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

// CRDFile is a YAML file of CRDs.
type CRDFile struct {
	Name string `json:"name"`
	File File   `json:"file"`
}

// File is an entry of the bundle.
type File struct {
	Path string `json:"path"`
	// Size and SHA256 (hexadecimal) describe the bytes as stored.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Unpacked is the size in bytes before compression with zstd; 0 means that the file is not
	// compressed.
	Unpacked int64 `json:"unpacked,omitempty"`
}

// small reports whether the file is read into memory.
func (f File) small() bool { return f.Unpacked == 0 }

// Files returns all entries but the manifest's own, in their order in the bundle.
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

// decode parses a manifest strictly.
func decode(data []byte) (*Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if version.Format != Format {
		return nil, inputError("use the coalmine that created it, or create a new one with `coalmine bundle create`",
			"%s: the bundle has format %d; this coalmine reads format %d", manifestName, version.Format, Format)
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

// check rejects what no bundle of coalmine's has. What it accepts is safe to read.
func (m *Manifest) check() error {
	files := m.Files()
	if len(files) > maxFiles {
		return fmt.Errorf("%d files exceed the limit of %d", len(files), maxFiles)
	}
	texts := append([]string{m.CreatedBy, m.Arch}, m.Meshes...)
	for _, c := range m.Charts {
		texts = append(texts, c.Version)
	}
	for _, text := range texts {
		if len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsPrint(r)
		}) {
			return fmt.Errorf("%.100q is not a name or version", text)
		}
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
			return fmt.Errorf("%q is not a chart", c.Name)
		}
	}
	for _, c := range m.CRDs {
		seen.add("CRDs", c.Name)
		if !isPlain(c.Name) || !c.File.small() {
			return fmt.Errorf("%q are not CRDs", c.Name)
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

// allImages returns the image archives.
func (m *Manifest) allImages() []ImageFile {
	all := slices.Clone(m.Images)
	if m.Own != nil {
		all = append(all, *m.Own)
	}
	if n := m.Node; n != nil && n.Archive != nil {
		all = append(all, ImageFile{[]string{n.Ref}, *n.Archive})
	}
	return all
}

func (m *Manifest) checkImages(seen *uniqueNames) error {
	if n := m.Node; n != nil && n.Config != nil && !n.Config.small() {
		return fmt.Errorf("%s is not a configuration", n.Config.Path)
	}
	for _, i := range m.allImages() {
		if i.File.small() || len(i.Refs) == 0 {
			return fmt.Errorf("%s is not an image archive", i.File.Path)
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

// uniqueNames finds duplicates.
type uniqueNames struct {
	seen map[string]bool
	err  error
}

func (u *uniqueNames) add(kind, name string) {
	if u.seen[kind+name] && u.err == nil {
		u.err = fmt.Errorf("%s %q exists twice", kind, name)
	}
	u.seen[kind+name] = true
}

func (f File) check() error {
	switch {
	case !fs.ValidPath(f.Path) || !isPlain(strings.ReplaceAll(f.Path, "/", "")) || len(f.Path) > 100:
		return fmt.Errorf("%q is not a valid file name", f.Path)
	case f.Path == manifestName || f.Path == sumName:
		return fmt.Errorf("%s lists itself", f.Path)
	case f.Size < 0 || f.Size > maxFile || f.Unpacked < 0 || f.Unpacked > maxUnpacked:
		return fmt.Errorf("%s: sizes %d and %d are out of range", f.Path, f.Size, f.Unpacked)
	case f.small() && f.Size > maxSmall:
		return fmt.Errorf("%s: %d bytes exceed the limit of %d", f.Path, f.Size, maxSmall)
	case len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
		return fmt.Errorf("%s: %q is not a SHA-256", f.Path, f.SHA256)
	}
	return nil
}

// isPlain reports whether a name has no characters with a meaning to shells or file systems.
func isPlain(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && len(name) <= 100 && strings.Trim(name, letters+"._-") == "" &&
		strings.Contains(letters, name[:1])
}

// fullRef returns the complete name of an image: "docker.io/prom/prometheus:v3.11.0" for
// "prom/prometheus:v3.11.0". It drops the digest if there is a tag: docker archives have none.
func fullRef(ref string) (string, error) {
	parsed, err := name.ParseReference(withoutDigest(ref))
	if err != nil {
		return "", fmt.Errorf("%q is not a valid image name: %w", ref, err)
	}
	// No part may start with a hyphen, because names are passed on command lines.
	if strings.HasPrefix(ref, "-") || strings.Contains(ref, "/-") {
		return "", fmt.Errorf("%q is not a valid image name: a part of it starts with a hyphen", ref)
	}
	full := parsed.Name()
	if rest, ok := strings.CutPrefix(full, "index.docker.io/"); ok {
		full = "docker.io/" + rest
	}
	return full, nil
}

// withoutDigest drops the digest from a name that has a tag too.
func withoutDigest(ref string) string {
	repo, digest, ok := strings.Cut(ref, "@")
	if ok && digest != "" && strings.Contains(repo[strings.LastIndex(repo, "/")+1:], ":") {
		return repo
	}
	return ref
}
