package podcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"coalmine/cmd/internal/cli"
	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
)

type agentFlags struct {
	scenario, spec string
	listen, gates  string
	prometheus     string
}

// NewAgent returns the command of the agent's pod.
func NewAgent(env *Env) *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use:    names.CommandAgent,
		Short:  "Run the lab's agent in its pod (coalmine run --cluster kind starts it)",
		Hidden: true,
		Args:   cli.Exactly(),
		RunE:   func(cmd *cobra.Command, _ []string) error { return env.agent(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.scenario, "scenario", names.ScenarioDir, "`FOLDER` of the scenario")
	flags.StringVar(&f.spec, "run-spec", names.ScenarioDir+"/"+client.RunSpecFile, "`FILE` with the run spec")
	flags.StringVar(&f.listen, "listen", fmt.Sprintf(":%d", names.AgentPort), "`ADDRESS` of the agent's own API")
	flags.StringVar(&f.gates, "gates", ":8081", "`ADDRESS` of what Flagger calls")
	flags.StringVar(&f.prometheus, "prometheus",
		fmt.Sprintf("http://%s.%s:%d", names.PrometheusService, names.VizNamespace, names.PrometheusPort),
		"`URL` of Prometheus")
	return cmd
}

// agent serves until the context ends.
func (env *Env) agent(ctx context.Context, f agentFlags) error {
	spec, err := env.readRunSpec(f.spec)
	if err != nil {
		return err
	}
	s, err := env.Scenario(f.scenario)
	if err != nil {
		return err
	}
	clients, err := agent.InCluster()
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{
		Scenario: s, Spec: spec, Clients: clients, Prometheus: f.prometheus,
		Log: slog.New(slog.NewTextHandler(env.Err, nil)),
	})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group.Go(func() { a.Watch(ctx) })
	group.Go(func() { cancel(serveUntil(ctx, f.gates, a.GateHandler())) })
	if err := serveUntil(ctx, f.listen, a.Handler()); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Bounds of the agent's connections. Streams and calls that wait bound their writes themselves.
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
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // clients repeat what is cut off
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
