package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/run/folder"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/indexedjob"
)

// Places where submissions are played.
const (
	onThisMachine = "local"
	onKubernetes  = "kubernetes"
)

// remoteFlags say where submissions are played.
type remoteFlags struct {
	on, volume, image, context, namespace string
	pods                                  int
	keep                                  bool
}

func (f *remoteFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.on, "on", onThisMachine, "play on `WHERE`: local, or kubernetes, the cluster of the kubeconfig")
	flags.StringVar(&f.volume, "volume", "", "persistent volume `CLAIM` for tasks and results (required on a cluster)")
	flags.StringVar(&f.image, "image", "", "`IMAGE` of the pods (default: the one that grade image makes)")
	flags.StringVar(&f.context, "context", "", "`CONTEXT` of the kubeconfig (default the current one)")
	flags.StringVar(&f.namespace, "namespace", "", "`NAMESPACE` of the claim and the pods (default the context's)")
	flags.IntVar(&f.pods, "pods", 4, "play in `N` pods at the same time")
	flags.BoolVar(&f.keep, "keep", false, "keep the files of a grading that fails in the volume, so that the same "+
		"command goes on there; they have the secret seeds")
}

func (f remoteFlags) check() error {
	switch {
	case f.on != onThisMachine && f.on != onKubernetes:
		return fmt.Errorf("--on is %q: write local or kubernetes", f.on)
	case f.on == onThisMachine && (f.volume+f.image+f.context+f.namespace != "" || f.keep):
		return errors.New("--volume, --image, --context, --namespace and --keep are for a cluster: write --on " +
			"kubernetes")
	case f.on == onKubernetes && f.volume == "":
		return errors.New("--volume is missing: write the name of a persistent volume claim")
	case f.pods < 1:
		return fmt.Errorf("--pods is %d: write 1 or more", f.pods)
	}
	return nil
}

// gradeRemote returns where submissions are played, nil for this machine.
func (env *Env) gradeRemote(ctx context.Context, f remoteFlags) (grade.Remote, error) {
	if f.on == onThisMachine {
		return nil, nil
	}
	cluster, err := indexedjob.Open("", f.context, f.namespace)
	if err != nil {
		return nil, err
	}
	cluster.Claim, cluster.Image, cluster.Pods, cluster.Digest = f.volume, f.image, f.pods, env.BinaryDigest()
	cluster.Keep = f.keep
	if f.image == "" {
		own, err := image.Running(ctx, runtime.GOARCH, image.Coalmine)
		if err != nil {
			return nil, err
		}
		cluster.Image = own.Ref()
	}
	return cluster, nil
}

func newGradeImageCommand(env *Env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "image --output FILE",
		Short: "Write the image for grade --on kubernetes",
		Long: "Write an image with this program and nothing else as an archive, and print its name. It must be on " +
			"the nodes of the cluster, or in a registry; then --image names it there. The program must be a static " +
			"Linux binary.",
		Example: `coalmine grade image -o coalmine.tar
kind load image-archive coalmine.tar
crane push coalmine.tar registry.example.org/coalmine:class`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "" {
				return usage(cmd, errors.New("--output is missing: write the file for the image"))
			}
			return env.gradeImage(cmd.Context(), output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the image to `FILE` (required)")
	return cmd
}

func (env *Env) gradeImage(ctx context.Context, output string) error {
	own, err := image.Running(ctx, runtime.GOARCH, image.Coalmine)
	if err != nil {
		return err
	}
	f, err := os.Create(env.path(output))
	if err != nil {
		return invalid("name a file that can be written", "%w", err)
	}
	ref, err := image.Build(f, own)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintln(env.Out, ref)
	return nil
}

// newGradePodCommand is what pods of a grading do.
func newGradePodCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:    indexedjob.Verb,
		Short:  "Play tasks of a grading in a pod, or move its files (pods call this)",
		Hidden: true,
		Args:   cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			os.Stdout = os.Stderr // see newWorkerCommand
			return env.gradePod(cmd.Context(), args[0], strings.Join(args[1:], ""))
		},
	}
}

func (env *Env) gradePod(ctx context.Context, verb, arg string) error {
	binary := folder.Binary{Version: env.Version, Digest: env.BinaryDigest()}
	switch verb {
	case "wait":
		<-ctx.Done()
		return nil
	case "check":
		if arg != binary.Digest {
			return errors.New("the image has another program: make it with coalmine grade image")
		}
		return nil
	case "receive":
		return indexedjob.Receive(env.In, arg)
	case "send":
		return indexedjob.Send(env.raw(), env.In, arg)
	case "remove":
		if ok, _ := filepath.Match("coalmine-grade-*", filepath.Base(arg)); !ok {
			return fmt.Errorf("%s is not the folder of a grading", arg)
		}
		return os.RemoveAll(arg)
	case "play":
		index, err := strconv.Atoi(env.Getenv("JOB_COMPLETION_INDEX"))
		if err != nil {
			return fmt.Errorf("JOB_COMPLETION_INDEX, which an Indexed Job sets: %w", err)
		}
		path, err := programPath()
		if err != nil {
			return err
		}
		return grade.ServeChunk(ctx, arg, index, binary, grade.Program{Path: path,
			Args: []string{"coalmine", gradeWorkerVerb}})
	}
	return fmt.Errorf("pods have nothing to do for %q", verb)
}
