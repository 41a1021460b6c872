package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/testmesh/control"
	"coalmine/lab/cluster/testmesh/wire"
)

type controlFlags struct {
	listen, admin string
	verbose       bool
}

func newControlCommand() *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "control",
		Short: "Run the control plane, in its pod",
		Long: "Run the control plane of the mesh. It works in a pod only, by its service account; TESTMESH_IMAGE is " +
			"the image of the proxies that it injects.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runControl(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", ":"+strconv.Itoa(wire.ControlPort),
		"`ADDRESS` for proxies and the API server (HTTPS)")
	cmd.Flags().StringVar(&f.admin, "admin", ":9990", "`ADDRESS` of /ready, /live and /metrics")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "log every snapshot and every pod that is not injected")
	return cmd
}

func runControl(ctx context.Context, f controlFlags) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	cfg, err := control.InPod(control.Config{Image: os.Getenv(wire.EnvImage), Log: log, Now: time.Now})
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
	log.Info("the control plane starts", "listen", f.listen, "admin", f.admin)
	return c.Run(ctx)
}
