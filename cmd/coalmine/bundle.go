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
		Short: "Make, look at and load a bundle: all that a cluster needs, in one file",
		Long: "A bundle is one file with all that `coalmine up` takes from the network otherwise: the node image, the images of the mesh, of " +
			"Prometheus and of Flagger, coalmine's own image, charts and CRDs. It is made once, on a connected machine, and taken to rooms that have no network.",
		Args: unknownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBundleCreateCommand(env), newBundleListCommand(env), newBundleLoadCommand(env))
	return cmd
}

// bundleError gives an error of a bundle its exit code, and its hint its line: wrong input is the user's, the rest the lab's.
func bundleError(err error) error {
	var (
		input      *bundle.InputError
		incomplete *bundle.IncompleteError
		path       *fs.PathError
		help       hinter
		todo       string
	)
	if errors.As(err, &help) {
		todo = help.Hint()
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &incomplete):
		return inputError(err, "give them by flags, or make it without them by --partial")
	case errors.As(err, &input), errors.As(err, &path) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return inputError(err, todo)
	case todo != "":
		return &labError{err, todo}
	}
	return err
}
