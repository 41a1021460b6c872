package main

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"coalmine/lab/kindlab/place"
	"coalmine/lab/standin/control"
)

// controlFlags are the options of standin control.
type controlFlags struct {
	listen, admin string
	verbose       bool
}

func newStandinControlCommand(env *Env) *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "control",
		Short: "Run the control plane of the stand-in mesh, in its pod",
		Long: "Run the control plane of the stand-in mesh. It works in a pod only: the cluster is the pod's own, and COALMINE_IMAGE names " +
			"the image of the proxies that it injects.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.standinControl(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", ":"+strconv.Itoa(place.ControlPort), "`ADDRESS` for proxies and the API server (https)")
	cmd.Flags().StringVar(&f.admin, "admin", ":9990", "`ADDRESS` of /ready, /live and /metrics")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "tell of every snapshot and of every pod that is left alone")
	return cmd
}

func (env *Env) standinControl(ctx context.Context, f controlFlags) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(env.Err, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log) // informers tell through it why they cannot list
	cfg, err := rest.InClusterConfig()
	if err != nil {
		return invalid("it works in a pod, where coalmine up --mesh standin starts it", "standin control: %w", err)
	}
	cfg.QPS, cfg.Burst = 100, 200 // a TokenReview for each pod that starts, and all of a rollout's start at once
	core, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	custom, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	admin, err := net.Listen("tcp", f.admin)
	if err != nil {
		return err
	}
	c, err := control.New(control.Config{
		Kubernetes: core, Dynamic: custom, Image: env.Getenv("COALMINE_IMAGE"),
		Secure: secure, Admin: admin, Log: log, Now: env.Now,
	})
	if err != nil {
		return err
	}
	log.Info("standin control starts", "version", env.Version, "listen", f.listen, "admin", f.admin)
	return c.Run(ctx)
}
