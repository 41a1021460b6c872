package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/bundle"
)

func newBundleCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Create, list and load bundles: all that a cluster needs, in one file",
		Long: "A bundle is one file with everything that `coalmine up` otherwise downloads: the node image, the " +
			"images of the mesh, Prometheus and Flagger, coalmine's own image, charts and CRDs. Create it once on a " +
			"connected machine and take it to machines without network.",
		Args: unknownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBundleCreateCommand(env), newBundleListCommand(env), newBundleLoadCommand(env))
	return cmd
}

// bundleError gives an error of a bundle its exit code and hint: invalid input is the user's fault,
// anything else the environment's.
func bundleError(err error) error {
	var (
		input      *bundle.InputError
		incomplete *bundle.IncompleteError
		path       *fs.PathError
		help       hinter
		advice     string
	)
	if errors.As(err, &help) {
		advice = help.Hint()
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &incomplete):
		return inputError(err, "add them with flags, or create the bundle without them with --partial")
	case errors.As(err, &input),
		errors.As(err, &path) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return inputError(err, advice)
	case advice != "":
		return &labError{err, advice}
	}
	return err
}
