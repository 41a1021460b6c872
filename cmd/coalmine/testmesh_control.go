package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/control"
)

// controlFlags are the options of standin control.
type controlFlags struct {
	listen, admin string
	verbose       bool
}

func newTestMeshControlCommand(env *Env) *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "control",
		Short: "Run the control plane of the stand-in mesh, in its pod",
		Long: "Run the control plane of the stand-in mesh. It works in a pod only: the cluster is the pod's own, and COALMINE_IMAGE names " +
			"the image of the proxies that it injects.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.runTestMeshControl(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", ":"+strconv.Itoa(names.ControlPort), "`ADDRESS` for proxies and the API server (https)")
	cmd.Flags().StringVar(&f.admin, "admin", ":9990", "`ADDRESS` of /ready, /live and /metrics")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "tell of every snapshot and of every pod that is left alone")
	return cmd
}

func (env *Env) runTestMeshControl(ctx context.Context, f controlFlags) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(env.Err, &slog.HandlerOptions{Level: level}))
	cfg, err := control.InPod(control.Config{Image: env.Getenv("COALMINE_IMAGE"), Log: log, Now: env.Now})
	if errors.Is(err, control.ErrNoPod) {
		return invalid("coalmine up --mesh standin runs it in a pod", "standin control: %w", err)
	}
	if err != nil {
		return err
	}
	if cfg.Secure, err = net.Listen("tcp", f.listen); err != nil {
		return err
	}
	defer cfg.Secure.Close() // for when the rest fails; Run closes it itself
	if cfg.Admin, err = net.Listen("tcp", f.admin); err != nil {
		return err
	}
	defer cfg.Admin.Close() // as above
	c, err := control.New(cfg)
	if err != nil {
		return err
	}
	log.Info("standin control starts", "version", env.Version, "listen", f.listen, "admin", f.admin)
	return c.Run(ctx)
}
