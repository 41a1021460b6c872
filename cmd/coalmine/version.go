package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
)

func newVersionCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of coalmine and of what plays the runs",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			versions := map[string]string{"go": runtime.Version()}
			maps.Copy(versions, env.Cluster.Describe().Versions)
			versions["coalmine"] = env.Version
			if asJSON {
				return writeJSON(env.Out, versions)
			}
			for _, name := range slices.Sorted(maps.Keys(versions)) {
				fmt.Fprintf(env.Out, "%-12s %s\n", name, versions[name])
			}
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "print JSON")
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
