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

// defaultUp is how long a bring-up may take. With everything at hand it takes two minutes on two cores; the rest is for slow networks.
const defaultUp = 15 * time.Minute

func newUpCommand(env *Env) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a real cluster: kind, Linkerd, Prometheus and Flagger",
		Long: "Bring up a real cluster to fly scenarios on: kind, Linkerd, Prometheus and Flagger, and the demo services. " +
			"It goes in steps, each of which first looks whether it is done: run it again after an interruption, or after a failure, and it " +
			"goes on from there.\n\n" +
			"Everything comes from the network, or with --bundle from one file. The context kind-NAME is added to the kubeconfig; the current " +
			"context stays what it is, if there is one. Nothing else outside of Docker is changed.\n\n" +
			"When a first up fails, the cluster that it made is removed again, unless --keep-on-failure is given. An up that is " +
			"interrupted leaves what it has made, as does one that fails on a cluster that was there before.\n\n" +
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
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "take everything from the bundle `FILE` instead of the network")
	cmd.Flags().DurationVar(&f.timeout, "timeout", defaultUp, "give up after this `TIME`")
	cmd.Flags().BoolVar(&f.keep, "keep-on-failure", false, "leave a cluster that could not be brought up, to look at it")
	return cmd
}

// clusterFlag names the kind cluster.
func clusterFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "name", names.DefaultCluster, "`NAME` of the kind cluster")
}

func (f *upFlags) check() error {
	if f.timeout <= 0 {
		return invalid("see coalmine up --help", "--timeout is %v: write a time over 0", f.timeout)
	}
	return checkCluster(f.name)
}

func checkCluster(name string) error {
	if why := kindcluster.ValidName(name); why != "" {
		return invalid("the name is that of Docker containers and hosts, as "+names.DefaultCluster, "--name is %q: %s", name, why)
	}
	return nil
}

// clusterError gives an error of the cluster its exit code, and its hint its line: what the user asked for wrongly is his, the rest
// the lab's.
func clusterError(err error) error {
	var (
		help    hinter
		problem *kindcluster.Problem
		mesh    *install.OtherMeshError
		told    *labError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mesh), errors.As(err, &problem) && problem.Kind == kindcluster.NotManaged:
		return inputError(err, hintOf(err))
	case errors.As(err, &told):
		return err
	case errors.As(err, &help) && help.Hint() != "":
		return &labError{err, help.Hint()}
	}
	return err
}

// hintOf is what an error says to do, "" if it says nothing.
func hintOf(err error) string {
	var help hinter
	if errors.As(err, &help) {
		return help.Hint()
	}
	return ""
}

// up brings a cluster up, and takes it down again if that fails and nobody wants to see it.
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

// sourceOf is the bundle, or the network without one.
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

// checkBundle refuses a bundle without the charts and CRDs that its mesh needs, before anything is begun. Images that it lacks may be had from
// their registries.
func checkBundle(b *bundle.Bundle, needs bundle.Needs) error {
	var lacks []string
	for _, n := range needs.Missing(&b.Manifest) {
		if n.Kind == bundle.KindChart || n.Kind == bundle.KindCRDs {
			lacks = append(lacks, n.String())
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return invalid("coalmine bundle create makes a complete one, where there is a network; coalmine bundle list lists what "+
		"one lacks", "%s lacks %s", b, strings.Join(lacks, ", "))
}

// bringUp goes through the steps. Its time does not include what comes before or after them.
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
		return &labError{fmt.Errorf("not up within %v: %w", f.timeout, err), cmp.Or(hintOf(err), "give it more time by --timeout")}
	}
	return &labError{err, "what was made is kept: coalmine up goes on from there, coalmine down removes it"}
}

// removeHalf removes what a failed bring-up has made. The failure is what is returned, whatever becomes of that.
func (env *Env) removeHalf(ctx context.Context, c *kindcluster.Cluster, failure error) error {
	removed, err := c.Delete(ctx)
	if err != nil {
		return errors.Join(failure, fmt.Errorf("and it could not be removed: %w", err))
	}
	if !removed.Empty() {
		fmt.Fprintf(env.Err, "removed the cluster again; --keep-on-failure would keep it\n")
	}
	return failure
}
