package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/flux"
	"coalmine/lab/cluster/kind"
)

// exportFlags are the options of export flux.
type exportFlags struct {
	scenario, guardrails, image, trust string
	develop                            bool
	names                              nameMap
	readerFlags
}

// defaultImage is a name for coalmine's image that says that it has to be replaced.
const defaultImage = "registry.example.com/coalmine-agent:latest"

func newExportCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the lab for other tools",
		Long:  "Write the lab for other tools.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExportFluxCommand(env))
	return cmd
}

func newExportFluxCommand(env *Env) *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "flux DIR",
		Short: "Write Linkerd, Flagger and guardrails as a repository for Flux",
		Long: "Write a repository for Flux that installs what up installs: Gateway API's CRDs, Linkerd, viz and " +
			"Flagger, with the same charts, versions and values. The services of a scenario, with guardrails for " +
			"them, are a pack of its own, which is suspended unless --develop is given.\n\n" +
			"DIR must not exist. It can be given to --guardrails of other verbs: they read the guardrails of the " +
			"pack. The mesh needs a Secret with a trust anchor, which --trust writes beside the repository.",
		Example: `coalmine export flux sre-repo
coalmine export flux sre-repo --scenario full-rollout --guardrails full-rollout --trust trust.yaml
coalmine run full-rollout --guardrails sre-repo`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.exportFlux(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.scenario, "scenario", "full-rollout", "`SCENARIO` whose services the pack has")
	flags.StringVarP(&f.guardrails, "guardrails", "g", "starter", "`DIR` with the pack's guardrails, a file, or a "+
		"variant of the scenario")
	flags.StringVar(&f.image, "image", defaultImage, "`IMAGE` of the demo services")
	flags.StringVar(&f.trust, "trust", "", "write a Secret with new certificates to `FILE`, to apply by hand")
	flags.BoolVar(&f.develop, "develop", false, "apply the pack from the start")
	f.names.add(flags)
	f.readerFlags.add(flags)
	return cmd
}

func (env *Env) exportFlux(ctx context.Context, dir string, f exportFlags) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	src, err := env.openScenario(f.scenario)
	if err != nil {
		return err
	}
	defer src.Close()
	src.Map = f.names
	if src.Reader, err = f.readerFlags.options(env); err != nil {
		return err
	}
	set, _, err := src.LoadGuardrails(ctx, env.Dir, f.guardrails)
	if err != nil {
		return err
	}
	services, err := kind.Services(src.Scenario, f.image)
	if err != nil {
		return err
	}
	files, err := flux.Files(flux.Options{Services: services, Guardrails: set.Files, Develop: f.develop})
	if err != nil {
		return err
	}
	if err := env.writeTrust(f.trust); err != nil {
		return err
	}
	if err := writeFolder(env.path(dir), files); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "Made %s with %d files; %s says how to use it.\n", dir, len(files), flux.README)
	return err
}

// writeTrust writes the Secret of the mesh's certificates to a new file that only its owner can read.
func (env *Env) writeTrust(name string) error {
	if name == "" {
		return nil
	}
	secret, err := flux.Trust(env.Now())
	if err != nil {
		return err
	}
	w, err := os.OpenFile(env.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return invalid("name a new file that can be written", "write the certificates: %w", err)
	}
	if _, err := w.Write(secret); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}
