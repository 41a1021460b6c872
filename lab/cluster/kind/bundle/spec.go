package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"coalmine/manifests"
)

// Spec says what to put into a bundle.
type Spec struct {
	Pins manifests.Pins
	// Mesh is the mesh that the bundle provides, MeshImage the archive with its image. Nil is
	// Linkerd.
	Mesh      *Mesh
	MeshImage Archive
	// Arch is the processor architecture of the nodes, in Go's terms.
	Arch string

	// Node is the node image; "" is the one in the kind configuration, or the pinned one.
	Node string
	// Config is a file with a kind configuration.
	Config string
	// Images are docker archives, Charts are folders or packages, CRDs are YAML files. They replace
	// what would be downloaded.
	Images, Charts, CRDs []string
	// Folder has images/*.tar, charts/*, crds/*.yaml and kind.yaml. With a folder, nothing is
	// downloaded.
	Folder string
	// Partial accepts contents that lack something the mesh needs.
	Partial bool

	Docker  Docker
	Pull    func(ctx context.Context, ref string) (Archive, error)
	Fetcher Fetcher
	// Say reports progress.
	Say func(format string, args ...any)
}

// Fetcher downloads charts and CRDs at the pinned versions.
type Fetcher interface {
	// Chart returns a packaged chart by name.
	Chart(ctx context.Context, name string) ([]byte, error)
	// CRDs returns YAML documents by name.
	CRDs(ctx context.Context, name string) ([]byte, error)
}

// Collect finds the contents: first what is named, then the folder's, then the network's. It
// reports what comes from where. The error is an [*IncompleteError] if the mesh needs more.
func (o Spec) Collect(ctx context.Context) (Contents, error) {
	c := &collection{Spec: o, needs: NeedsOf(o.Pins, o.Mesh),
		Contents: Contents{Arch: o.Arch, Mesh: o.Mesh, Say: o.Say}}
	if o.Mesh != nil {
		c.Contents.Images = []Archive{o.MeshImage}
	}
	for _, step := range []func(context.Context) error{c.addNamed, c.addFolder, c.node, c.fetch,
		c.fetchOptional} {
		if err := step(ctx); err != nil {
			return Contents{}, err
		}
	}
	if missing := c.needs.Missing(c.manifest()); len(missing) > 0 && !o.Partial {
		return Contents{}, &IncompleteError{Mesh: meshName(o.Mesh), Missing: missing}
	}
	c.Meshes = []string{}
	if len(c.needs.Missing(c.manifest())) == 0 {
		c.Meshes = append(c.Meshes, meshName(o.Mesh))
	}
	return c.Contents, nil
}

// IncompleteError lists what the bundle would lack for a mesh.
type IncompleteError struct {
	Mesh    string
	Missing []Need
}

func (e *IncompleteError) Error() string {
	var lines strings.Builder
	for _, need := range e.Missing {
		fmt.Fprintf(&lines, "\n  %s", need)
	}
	return fmt.Sprintf("the bundle is incomplete for mesh %s: it would lack%s", e.Mesh, &lines)
}

// collection is what has been found so far.
type collection struct {
	Spec
	Contents
	needs Needs
}

// manifest returns the manifest that the contents would have, without files.
func (c *collection) manifest() *Manifest {
	m := &Manifest{}
	if c.Contents.Node.Archive != nil {
		m.Node = &NodeFiles{Ref: c.Contents.Node.Ref, Archive: &File{}}
	}
	for _, a := range c.Contents.Images {
		m.Images = append(m.Images, ImageFile{Refs: a.Refs})
	}
	for _, chart := range c.Contents.Charts {
		m.Charts = append(m.Charts, ChartFile{Name: chart.Name, Version: chart.Version})
	}
	for _, crds := range c.Contents.CRDs {
		m.CRDs = append(m.CRDs, CRDFile{Name: crds.Name})
	}
	return m
}

// addNamed adds what was named, whether or not the mesh needs it.
func (c *collection) addNamed(context.Context) error {
	for _, path := range c.Spec.Images {
		if err := c.addImages(path, true); err != nil {
			return err
		}
	}
	for _, path := range c.Spec.Charts {
		if err := c.addChart(path, true); err != nil {
			return err
		}
	}
	for _, path := range c.Spec.CRDs {
		if err := c.addCRDs(path, true); err != nil {
			return err
		}
	}
	if c.Config != "" {
		return c.addConfig(c.Config)
	}
	return nil
}

// addFolder adds what the mesh needs from the folder, unless it was named.
func (c *collection) addFolder(context.Context) error {
	if c.Folder == "" {
		return nil
	}
	info, err := os.Stat(c.Folder)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	if !info.IsDir() {
		return inputError("give a folder with images/*.tar, charts/*, crds/*.yaml and kind.yaml", "%s is not a folder",
			c.Folder)
	}
	for _, part := range []struct {
		pattern string
		add     func(path string, named bool) error
	}{{"images/*.tar", c.addImages}, {"charts/*", c.addChart}, {"crds/*.yaml", c.addCRDs}} {
		paths, err := filepath.Glob(filepath.Join(escapeGlob(c.Folder), filepath.FromSlash(part.pattern)))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := part.add(path, false); err != nil {
				return err
			}
		}
	}
	config := filepath.Join(c.Folder, "kind.yaml")
	if _, err := os.Stat(config); c.Config != "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.addConfig(config)
}

// escapeGlob escapes a folder's name for a pattern.
func escapeGlob(dir string) string {
	if os.PathSeparator == '\\' {
		return dir // a backslash does not escape there
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// addImages adds an archive. One that was not named is skipped if the mesh needs none of its
// images.
func (c *collection) addImages(path string, named bool) error {
	a, err := ArchiveFile(path)
	if err != nil {
		return err
	}
	if !named && !slices.ContainsFunc(a.Refs, c.needsImage) {
		c.Spec.Say("skipped %s: mesh %s does not need it, or it was named", strings.Join(a.Refs, ", "),
			meshName(c.Spec.Mesh))
		return nil
	}
	for _, have := range c.Contents.Images {
		for _, ref := range a.Refs {
			if slices.Contains(have.Refs, ref) {
				return inputError("give each image once", "%s: image %s is in another archive too", path, ref)
			}
		}
	}
	c.Contents.Images = append(c.Contents.Images, a)
	return nil
}

// needsImage reports whether the mesh needs the image, or can use it, and it was not found yet.
func (c *collection) needsImage(ref string) bool {
	need, m := Need{Kind: KindImage, Name: ref}, c.manifest()
	return slices.Contains(c.needs.Missing(m), need) || slices.Contains(c.needs.MissingOptional(m), need)
}

func (c *collection) addChart(path string, named bool) error {
	chart, err := loadChart(path)
	if err != nil {
		return err
	}
	have := slices.ContainsFunc(c.Contents.Charts, func(have Chart) bool { return have.Name == chart.Name })
	if have && named {
		return inputError("give each chart once", "%s: chart %s is given twice", path, chart.Name)
	}
	if have || !named && !slices.ContainsFunc(c.needs.Charts, func(need manifests.Chart) bool {
		return need.Name == chart.Name
	}) {
		return nil
	}
	c.Contents.Charts = append(c.Contents.Charts, chart)
	return nil
}

func (c *collection) addCRDs(path string, named bool) error {
	crds, err := loadCRDs(path)
	if err != nil {
		return err
	}
	have := slices.ContainsFunc(c.Contents.CRDs, func(have CRDs) bool { return have.Name == crds.Name })
	if have && named {
		return inputError("give files with different names: the names identify the CRDs",
			"%s: CRDs %s are given twice", path, crds.Name)
	}
	if have || !named && !slices.Contains(c.needs.CRDs, crds.Name) {
		return nil
	}
	c.Contents.CRDs = append(c.Contents.CRDs, crds)
	return nil
}

func (c *collection) addConfig(path string) error {
	config, image, err := loadConfig(path)
	if err != nil {
		return err
	}
	c.Contents.Node.Config = config
	if c.Spec.Node == "" {
		c.Spec.Node = image
	}
	return nil
}
