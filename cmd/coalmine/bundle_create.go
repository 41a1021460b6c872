package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/image"
	"coalmine/manifests"
)

// bundleFlags are the options of bundle create.
type bundleFlags struct {
	out, arch, node, config, from string
	images, charts, crds          []string
	partial                       bool
}

func newBundleCreateCommand(env *Env) *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "create --output FILE",
		Short: "Create a bundle",
		Long: "Create a bundle. What no flag provides is downloaded, at the versions that this coalmine was built " +
			"for. With --from it is read from a folder and the local Docker, and nothing is downloaded. If " +
			"something would be missing, no bundle is created unless --partial is given.\n\n" +
			"Images are archives of `docker save`. A node image that Docker has under its tag is taken from there. " +
			"Coalmine's own image is built from the coalmine-agent in this binary, or from this binary if it was " +
			"built without one; " + image.BinaryEnv + " names another one.",
		Example: `coalmine bundle create -o class.bundle
coalmine bundle create -o class.bundle --from ~/images
coalmine bundle create -o class.bundle --node-image my/node:v1.35.4 --image flagger.tar`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return bundleError(env.bundleCreate(cmd.Context(), f))
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (f *bundleFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.out, "output", "o", "", "write the bundle to `FILE`")
	flags.StringVar(&f.arch, "arch", runtime.GOARCH, "`ARCH` of the nodes: amd64 or arm64")
	flags.StringVar(&f.node, "node-image", "",
		"`REF` of the node image (default: the image in --kind-config, or the pinned one)")
	flags.StringArrayVar(&f.images, "image", nil, "add the images of the archive `FILE`, repeatable")
	flags.StringArrayVar(&f.charts, "chart", nil, "add the chart in the folder or package `PATH`, repeatable")
	flags.StringArrayVar(&f.crds, "crds", nil,
		"add CRDs from `FILE`; its name identifies them: gateway-api.yaml, repeatable")
	flags.StringVar(&f.config, "kind-config", "", "kind configuration `FILE` that fits the node image")
	flags.StringVar(&f.from, "from", "",
		"read everything else from `DIR`: images/*.tar, charts/*, crds/*.yaml and kind.yaml")
	flags.BoolVar(&f.partial, "partial", false, "create the bundle even if something is missing")
}

func (f *bundleFlags) check() error {
	switch {
	case f.out == "":
		return errors.New("--output is required: write --output FILE")
	case f.arch != "amd64" && f.arch != "arm64":
		return fmt.Errorf("--arch is %q: write amd64 or arm64; there are no node images for others", f.arch)
	}
	return nil
}

func (env *Env) bundleCreate(ctx context.Context, f bundleFlags) error {
	out := env.path(f.out)
	if err := bundle.CheckOutput(ctx, out); err != nil {
		return err
	}
	pins, err := manifests.Versions()
	if err != nil {
		return err
	}
	began := env.Now()
	contents, err := env.bundleSpec(f, pins).Collect(ctx)
	if err != nil {
		return err
	}
	if contents.Own, err = env.ownImage(ctx, f.arch); err != nil {
		return err
	}
	contents.CreatedBy, contents.Spool = env.Version, filepath.Dir(out)
	m, err := bundle.WriteFile(ctx, out, contents)
	if err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "Wrote %s: %s in %.0f s, %s.\n",
		f.out, formatBytes(info.Size()), env.Now().Sub(began).Seconds(), completeFor(m.Meshes))
	return nil
}

// bundleSpec returns what the flags ask for. Paths are relative to the user's folder.
func (env *Env) bundleSpec(f bundleFlags, pins manifests.Pins) bundle.Spec {
	say := func(format string, args ...any) { fmt.Fprintf(env.Err, format+"\n", args...) }
	o := bundle.Spec{
		Pins: pins, Arch: f.arch, Node: f.node, Partial: f.partial, Say: say,
		Images: env.paths(f.images), Charts: env.paths(f.charts), CRDs: env.paths(f.crds),
		Pull: bundle.Registries{Arch: f.arch}.Archive, Fetcher: bundle.Online{Pins: pins},
	}
	if f.config != "" {
		o.Config = env.path(f.config)
	}
	if f.from != "" {
		o.Folder = env.path(f.from)
	}
	return o
}

// ownImage returns coalmine's own image, or nil if none can be built from this binary. A bundle
// without it is still complete, because most machines build their own.
func (env *Env) ownImage(ctx context.Context, arch string) (*bundle.Archive, error) {
	binary, err := image.Agent(ctx, arch)
	if errors.Is(err, image.ErrUnfit) {
		fmt.Fprintf(env.Err, "skipped coalmine's own image (%v); machines with a static Linux binary build it "+
			"themselves\n", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	own := bundle.WrittenArchive(binary.Ref(), func(w io.Writer) error {
		_, err := image.Build(w, binary)
		return err
	})
	return &own, nil
}

func (env *Env) paths(names []string) []string {
	paths := slices.Clone(names)
	for i := range paths {
		paths[i] = env.path(paths[i])
	}
	return paths
}

// completeFor returns what the summary says of a bundle that has everything for meshes.
func completeFor(meshes []string) string {
	if len(meshes) == 0 {
		return "complete for no mesh"
	}
	return "complete for mesh " + strings.Join(meshes, " and ")
}

// formatBytes formats a size in decimal units.
func formatBytes(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
