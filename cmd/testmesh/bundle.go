package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/cluster/testmesh"
	"coalmine/manifests"
)

func newBundleCommand() *cobra.Command {
	var from, out string
	cmd := &cobra.Command{
		Use:   "bundle --from DIR --output FILE",
		Short: "Make a bundle from which `coalmine up` installs this mesh in place of Linkerd",
		Long: "Make a bundle from which `coalmine up` installs this mesh in place of Linkerd. Its image is made of " +
			"this binary. " +
			"Everything else comes from a folder with images/*.tar, charts/*, crds/*.yaml and kind.yaml, and from " +
			"the local Docker.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || out == "" {
				return errors.New("--from and --output are required")
			}
			return makeBundle(cmd.Context(), from, out)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "take everything from `DIR`")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write the bundle to `FILE`")
	return cmd
}

func makeBundle(ctx context.Context, from, out string) error {
	if err := bundle.CheckOutput(ctx, out); err != nil {
		return err
	}
	pins, err := manifests.Versions()
	if err != nil {
		return err
	}
	own, err := image.Running(ctx, runtime.GOARCH, testmesh.Name)
	if err != nil {
		return err
	}
	mesh, err := testmesh.Mesh(own.Ref())
	if err != nil {
		return err
	}
	contents, err := bundle.Spec{
		Pins: pins, Mesh: mesh, Arch: runtime.GOARCH, Folder: from,
		MeshImage: bundle.WrittenArchive(own.Ref(), func(w io.Writer) error {
			_, err := image.Build(w, own)
			return err
		}),
		Say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}.Collect(ctx)
	if err != nil {
		return err
	}
	contents.CreatedBy, contents.Spool = testmesh.Name, filepath.Dir(out)
	_, err = bundle.WriteFile(ctx, out, contents)
	return err
}
