package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
)

// agentFlags are the options of desk.
type agentFlags struct {
	scenario, spec string
	listen, gates  string
	prometheus     string
}

func newAgentCommand(env *Env) *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use:    "desk",
		Short:  "Stand inside the cluster for a flight (started by coalmine run --cluster kind)",
		Hidden: true,
		Args:   exactly(),
		RunE:   func(cmd *cobra.Command, _ []string) error { return env.runAgent(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.scenario, "scenario", names.ScenarioDir, "`FOLDER` of the scenario")
	flags.StringVar(&f.spec, "flight", names.ScenarioDir+"/"+client.RunSpecFile, "`FILE` with the flight")
	flags.StringVar(&f.listen, "listen", fmt.Sprintf(":%d", names.AgentPort), "`ADDRESS` of the desk's own interface")
	flags.StringVar(&f.gates, "gates", ":8081", "`ADDRESS` of what Flagger calls")
	flags.StringVar(&f.prometheus, "prometheus",
		fmt.Sprintf("http://%s.%s:%d", names.PrometheusService, names.VizNamespace, names.PrometheusPort), "`URL` of Prometheus")
	return cmd
}

// runAgent serves until a signal comes.
func (env *Env) runAgent(ctx context.Context, f agentFlags) error {
	flight, err := env.readRunSpec(f.spec)
	if err != nil {
		return err
	}
	s, err := env.readScenario(f.scenario)
	if err != nil {
		return err
	}
	clients, err := agent.InCluster()
	if err != nil {
		return err
	}
	d, err := agent.New(agent.Config{
		Scenario: s, Spec: flight, Clients: clients, Prometheus: f.prometheus, Log: slog.New(slog.NewTextHandler(env.Err, nil)),
	})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group.Go(func() { d.Watch(ctx) })
	group.Go(func() { cancel(serveUntil(ctx, f.gates, d.GateHandler())) })
	if err := serveUntil(ctx, f.listen, d.Handler()); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Bounds of the desk's connections. Streams and calls that wait bound what they write themselves.
const (
	agentHeaderTimeout = 10 * time.Second
	agentIdleTimeout   = 2 * time.Minute
)

// serveUntil serves on an address until the context ends.
func serveUntil(ctx context.Context, address string, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: agentHeaderTimeout, IdleTimeout: agentIdleTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // what is under way is asked again
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// readRunSpec reads what a flight's pods are started for.
func (env *Env) readRunSpec(path string) (client.RunSpec, error) {
	var f client.RunSpec
	data, err := os.ReadFile(env.path(path))
	if err != nil {
		return f, fmt.Errorf("the flight: %w", err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("the flight: %s: %w", path, err)
	}
	return f, nil
}

// readScenario reads a folder with a scenario.
func (env *Env) readScenario(dir string) (*scenario.Scenario, error) {
	src, err := env.openScenario(dir)
	if err != nil {
		return nil, err
	}
	return src.Scenario, src.Close()
}
