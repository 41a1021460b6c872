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
		Short: "Make a bundle",
		Long: "Make a bundle. What is not given by flags comes from the network, at the versions that this coalmine was written for. With " +
			"--from it comes from a folder and from the local Docker, and nothing from the network. A bundle that would miss something " +
			"is not made, unless --partial is given.\n\n" +
			"Images are taken as tars of `docker save`. A node image that Docker has by its tag is taken from there. Coalmine's own image is made " +
			"of the coalmine-agent in this binary, or of this binary if it was built without one; " + image.BinaryEnv + " names another.",
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
	flags.StringVar(&f.node, "node-image", "", "`REF` of the node image (default what --kind-config names, or kind's own)")
	flags.StringArrayVar(&f.images, "image", nil, "take images from the archive `FILE`, repeatable")
	flags.StringArrayVar(&f.charts, "chart", nil, "take a chart from the folder or package `PATH`, repeatable")
	flags.StringArrayVar(&f.crds, "crds", nil, "take CRDs from `FILE`, known by its name: gateway-api.yaml, repeatable")
	flags.StringVar(&f.config, "kind-config", "", "kind's configuration that fits the node image, from `FILE`")
	flags.StringVar(&f.from, "from", "", "take all else from `DIR` with images/*.tar, charts/*, crds/*.yaml and kind.yaml")
	flags.BoolVar(&f.partial, "partial", false, "make the bundle even if something is missing")
}

func (f *bundleFlags) check() error {
	switch {
	case f.out == "":
		return errors.New("--output is missing: write --output FILE")
	case f.arch != "amd64" && f.arch != "arm64":
		return fmt.Errorf("--arch is %q: write amd64 or arm64, for which there are node images", f.arch)
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
	fmt.Fprintf(env.Out, "Wrote %s: %s in %.0f s, %s.\n", f.out, formatBytes(info.Size()), env.Now().Sub(began).Seconds(), completeFor(m.Meshes))
	return nil
}

// bundleSpec is what the flags ask for. Paths are the user's.
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

// ownImage is coalmine's own image, or nil where none can be made of this binary: that leaves no bundle incomplete, because most
// machines make their own.
func (env *Env) ownImage(ctx context.Context, arch string) (*bundle.Archive, error) {
	binary, err := image.Agent(ctx, arch)
	if errors.Is(err, image.ErrUnfit) {
		fmt.Fprintf(env.Err, "left out coalmine's own image, which machines with a static Linux binary make themselves: %v\n", err)
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

// formatBytes writes a size in the units of file managers.
func formatBytes(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
