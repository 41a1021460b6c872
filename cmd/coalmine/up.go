package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/install"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// upFlags are the options of up.
type upFlags struct {
	name, bundle string
	timeout      time.Duration
	keep         bool
}

// defaultUp bounds a bring-up. It takes about two minutes on two cores if nothing has to be
// downloaded.
const defaultUp = 15 * time.Minute

func newUpCommand(env *Env) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a real cluster: kind, Linkerd, Prometheus and Flagger",
		Long: "Create a real cluster for runs: kind, Linkerd, Prometheus, Flagger and the demo services. Each step " +
			"first checks whether it is already done, so after an interruption or a failure, run the command again " +
			"and it continues from there.\n\n" +
			"Everything is downloaded, or read from one file with --bundle. The context kind-NAME is added to the " +
			"kubeconfig; the current context does not change unless there is none. Nothing else outside Docker " +
			"changes.\n\n" +
			"If the first up of a cluster fails, the cluster is deleted unless --keep-on-failure is given. An up " +
			"that is interrupted keeps what it has created, and so does one that fails on a cluster that already " +
			"existed.\n\n" +
			"Exit codes: 0 up, 1 failed, 2 invalid input, 5 interrupted.",
		Example: `coalmine up
coalmine up --bundle class.bundle
coalmine up --name second --timeout 30m`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return env.up(cmd.Context(), f)
		},
	}
	clusterFlag(cmd, &f.name)
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "read everything from the bundle `FILE` instead of the network")
	cmd.Flags().DurationVar(&f.timeout, "timeout", defaultUp, "give up after this `TIME`")
	cmd.Flags().BoolVar(&f.keep, "keep-on-failure", false,
		"keep a cluster that could not be brought up, for inspection")
	return cmd
}

// clusterFlag adds --name, the name of the kind cluster.
func clusterFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "name", names.DefaultCluster, "`NAME` of the kind cluster")
}

func (f *upFlags) check() error {
	if f.timeout <= 0 {
		return invalid("see coalmine up --help", "--timeout is %v: give a duration above 0", f.timeout)
	}
	return checkCluster(f.name)
}

func checkCluster(name string) error {
	if why := kindcluster.ValidName(name); why != "" {
		return invalid("it names Docker containers and hosts; "+names.DefaultCluster+" is the default",
			"--name is %q: %s", name, why)
	}
	return nil
}

// clusterError gives an error of the cluster its exit code and hint: invalid input is the user's
// fault, anything else the cluster's.
func clusterError(err error) error {
	var (
		help    hinter
		problem *kindcluster.Problem
		mesh    *install.OtherMeshError
		lab     *labError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mesh), errors.As(err, &problem) && problem.Kind == kindcluster.NotManaged:
		return inputError(err, hintOf(err))
	case errors.As(err, &lab):
		return err
	case errors.As(err, &help) && help.Hint() != "":
		return &labError{err, help.Hint()}
	}
	return err
}

// hintOf returns the hint of an error, or "" if it has none.
func hintOf(err error) string {
	var help hinter
	if errors.As(err, &help) {
		return help.Hint()
	}
	return ""
}

// up brings up a cluster. If that fails, it deletes a cluster that did not exist before.
func (env *Env) up(ctx context.Context, f upFlags) error {
	began := env.Now()
	source, err := env.sourceOf(ctx, f)
	if err != nil {
		return err
	}
	defer source.Close()
	c := kindcluster.New(f.name)
	unlock, err := c.Lock()
	if err != nil {
		return clusterError(err)
	}
	defer unlock()
	before, err := c.State(ctx)
	if err != nil {
		return clusterError(err)
	}
	if err := env.bringUp(ctx, c, source, f); err != nil {
		if before == kindcluster.Absent && !f.keep && ctx.Err() == nil {
			err = env.removeHalf(ctx, c, err)
		}
		return clusterError(err)
	}
	mesh := names.Linkerd
	if m := source.Mesh(); m != nil {
		mesh = m.Name
	}
	fmt.Fprintf(env.Out, "Cluster %s is up with mesh %s after %s; kubectl --context %s reaches it.\n",
		c.Name(), mesh, env.Now().Sub(began).Round(100*time.Millisecond), c.Context())
	return nil
}

// sourceOf returns the bundle, or the network without --bundle.
func (env *Env) sourceOf(ctx context.Context, f upFlags) (bundle.Source, error) {
	pins, err := manifests.Versions()
	if err != nil || f.bundle == "" {
		return bundle.Online{Pins: pins}, err
	}
	b, err := bundle.Open(ctx, env.path(f.bundle))
	if err != nil {
		return nil, bundleError(err)
	}
	if err := checkBundle(b, bundle.NeedsOf(pins, b.Mesh())); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// checkBundle rejects a bundle that lacks charts or CRDs its mesh needs, before anything is
// created. Images that it lacks can still be pulled from their registries.
func checkBundle(b *bundle.Bundle, needs bundle.Needs) error {
	var missing []string
	for _, n := range needs.Missing(&b.Manifest) {
		if n.Kind == bundle.KindChart || n.Kind == bundle.KindCRDs {
			missing = append(missing, n.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return invalid("create a complete one on a connected machine with coalmine bundle create; coalmine bundle list "+
		"shows what a bundle lacks", "%s lacks %s", b, strings.Join(missing, ", "))
}

// bringUp runs the install steps. Its timeout does not include what happens before or after them.
func (env *Env) bringUp(ctx context.Context, c *kindcluster.Cluster, source bundle.Source, f upFlags) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	g, err := install.New(ctx, install.Plan{Cluster: c, Source: source, Services: kind.DefaultServices, Now: env.Now})
	if err != nil {
		return err
	}
	list := g.Steps()
	view := newUpView(env, list)
	defer view.close()
	err = steps.Run(ctx, list, view.report)
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(err, context.DeadlineExceeded):
		hint := cmp.Or(hintOf(err), "allow more time with --timeout")
		return &labError{fmt.Errorf("not up after %v: %w", f.timeout, err), hint}
	}
	return &labError{err, "what was created is kept: coalmine up continues from there, coalmine down deletes it"}
}

// removeHalf deletes what a failed bring-up has created. It returns the failure in any case.
func (env *Env) removeHalf(ctx context.Context, c *kindcluster.Cluster, failure error) error {
	removed, err := c.Delete(ctx)
	if err != nil {
		return errors.Join(failure, fmt.Errorf("deleting the cluster failed too: %w", err))
	}
	if !removed.Empty() {
		fmt.Fprintf(env.Err, "deleted the cluster; use --keep-on-failure to keep it\n")
	}
	return failure
}
