package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/kindcluster"
)

func newBundleLoadCommand(env *Env) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "Check a bundle and load its node image into Docker",
		Long: "Check a whole bundle and load its node image into Docker, so that a later `coalmine up` is faster. " +
			"With --name, also load the other images into the nodes of a running cluster. Images that already exist " +
			"are not loaded again.",
		Example: `coalmine bundle load class.bundle
coalmine bundle load class.bundle --name coalmine`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if why := kindcluster.ValidName(name); cmd.Flags().Changed("name") && why != "" {
				return usage(cmd, fmt.Errorf("--name is %q: %s", name, why))
			}
			return bundleError(env.bundleLoad(cmd.Context(), args[0], name))
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "load the images into the nodes of cluster `NAME`")
	return cmd
}

func (env *Env) bundleLoad(ctx context.Context, file, cluster string) error {
	s, err := bundle.Open(ctx, env.path(file))
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Fprintf(env.Err, "checking %s\n", file)
	if err := s.Verify(ctx, func(bundle.File) {}); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := env.loadNode(ctx, s.Node()); err != nil {
		return err
	}
	if cluster == "" {
		return nil
	}
	archives := s.Images()
	if own := s.Own(); own != nil {
		archives = append(archives, *own)
	}
	return env.loadImages(ctx, kindcluster.New(cluster), archives)
}

func (env *Env) loadNode(ctx context.Context, n bundle.Node) error {
	if n.Archive == nil {
		fmt.Fprintln(env.Out, "The bundle has no node image.")
		return nil
	}
	has, err := bundle.Docker{}.Has(ctx, n.Ref)
	if err != nil {
		return err
	}
	if has {
		fmt.Fprintf(env.Out, "Docker already has %s.\n", n.Ref)
		return nil
	}
	fmt.Fprintf(env.Err, "loading %s, %s\n", n.Ref, formatBytes(n.Archive.Size))
	if err := (bundle.Docker{}).Load(ctx, *n.Archive); err != nil {
		return err
	}
	if has, err := (bundle.Docker{}).Has(ctx, n.Ref); err != nil || !has {
		return cmp.Or(err, fmt.Errorf("the archive was loaded, but Docker has no image %s", n.Ref))
	}
	fmt.Fprintf(env.Out, "Loaded %s into Docker.\n", n.Ref)
	return nil
}

// loadImages loads the images that some node lacks.
func (env *Env) loadImages(ctx context.Context, cluster *kindcluster.Cluster, archives []bundle.Archive) error {
	state, err := cluster.State(ctx)
	if err != nil {
		return err
	}
	if state != kindcluster.Running && state != kindcluster.Foreign {
		return invalid("create it first: coalmine up --name "+cluster.Name(), "cluster %s is %s", cluster.Name(), state)
	}
	for _, a := range archives {
		names := strings.Join(a.Refs, ", ")
		missing, err := cluster.Missing(ctx, slices.Clone(a.Refs))
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			fmt.Fprintf(env.Out, "The nodes already have %s.\n", names)
			continue
		}
		fmt.Fprintf(env.Err, "loading %s, %s\n", names, formatBytes(a.Size))
		if err := cluster.Load(ctx, a); err != nil {
			return err
		}
		fmt.Fprintf(env.Out, "Loaded %s into the nodes of %s.\n", names, cluster.Name())
	}
	return nil
}
