package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

func newBundleListCommand(env *Env) *cobra.Command {
	var asJSON, verify bool
	cmd := &cobra.Command{
		Use:   "list FILE",
		Short: "List what a bundle contains, and whether anything is missing",
		Example: `coalmine bundle list class.bundle
coalmine bundle list class.bundle --verify --json`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := env.listBundle(cmd.Context(), args[0], verify)
			if err != nil {
				return bundleError(err)
			}
			if asJSON {
				return writeJSON(env.Out, l)
			}
			l.write(env.Out)
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&verify, "verify", false, "read the whole bundle and compare checksums")
	return cmd
}

// bundleListing describes a bundle, as JSON.
type bundleListing struct {
	File string `json:"file"`
	// SHA256 is the digest of the manifest, which has the checksums of all files: bundles with the
	// same digest are identical.
	SHA256   string           `json:"sha256"`
	Verified bool             `json:"verified"`
	Meshes   []meshListing    `json:"meshes"`
	Notes    []string         `json:"notes,omitempty"`
	Manifest *bundle.Manifest `json:"manifest"`
}

// meshListing reports whether a cluster with a mesh can be created from the bundle alone.
type meshListing struct {
	Name     string        `json:"name"`
	Complete bool          `json:"complete"`
	Missing  []bundle.Need `json:"missing,omitempty"`
}

func (env *Env) listBundle(ctx context.Context, name string, verify bool) (*bundleListing, error) {
	b, err := bundle.Open(ctx, env.path(name))
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if verify {
		if err := b.Verify(ctx, func(bundle.File) {}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	pins, err := manifests.Versions()
	if err != nil {
		return nil, err
	}
	l := &bundleListing{File: name, SHA256: b.Digest(), Verified: verify, Manifest: &b.Manifest}
	needs, mesh := bundle.NeedsOf(pins, b.Mesh()), names.Linkerd
	if m := b.Mesh(); m != nil {
		mesh = m.Name
	}
	missing := needs.Missing(&b.Manifest)
	l.Meshes = []meshListing{{mesh, len(missing) == 0, missing}}
	l.Notes = needs.OtherVersions(&b.Manifest)
	for _, need := range needs.MissingOptional(&b.Manifest) {
		l.Notes = append(l.Notes, need.String()+" is optional, and not in the bundle")
	}
	return l, nil
}

// write prints one item per line: kind, name, size in the bundle.
func (l *bundleListing) write(w io.Writer) {
	m := l.Manifest
	fmt.Fprintf(w, "%s: for %s, created by coalmine %s, sha256 %.12s\n\n", l.File, m.Arch, m.CreatedBy, l.SHA256)
	for _, row := range bundleRows(m) {
		fmt.Fprintf(w, "%-14s %-50s %8s\n", row.kind, row.name, formatBytes(row.file.Size))
	}
	fmt.Fprintln(w)
	for _, mesh := range l.Meshes {
		if mesh.Complete {
			fmt.Fprintf(w, "Complete for mesh %s.\n", mesh.Name)
			continue
		}
		fmt.Fprintf(w, "Not complete for mesh %s: %d missing\n", mesh.Name, len(mesh.Missing))
		for _, need := range mesh.Missing {
			fmt.Fprintf(w, "  %s\n", need)
		}
	}
	for _, note := range l.Notes {
		fmt.Fprintf(w, "Note: %s.\n", note)
	}
	if l.Verified {
		fmt.Fprintln(w, "All checksums match.")
	}
}

// bundleRow is a file of a bundle and what it contains.
type bundleRow struct {
	kind, name string
	file       bundle.File
}

func bundleRows(m *bundle.Manifest) []bundleRow {
	var rows []bundleRow
	if m.Node != nil && m.Node.Archive != nil {
		rows = append(rows, bundleRow{"node image", m.Node.Ref, *m.Node.Archive})
	}
	if m.Node != nil && m.Node.Config != nil {
		rows = append(rows, bundleRow{"configuration", "of kind", *m.Node.Config})
	}
	if m.Own != nil {
		rows = append(rows, bundleRow{"own image", strings.Join(m.Own.Refs, ", "), m.Own.File})
	}
	for _, i := range m.Images {
		rows = append(rows, bundleRow{"image", strings.Join(i.Refs, ", "), i.File})
	}
	for _, c := range m.Charts {
		rows = append(rows, bundleRow{"chart", c.Name + " " + c.Version, c.File})
	}
	for _, c := range m.CRDs {
		rows = append(rows, bundleRow{"CRDs", c.Name, c.File})
	}
	return rows
}
