package podcmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"coalmine/cmd/internal/cli"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/agent/trafficpod"
	"coalmine/lab/cluster/names"
	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

type trafficFlags struct {
	client         string
	scenario, spec string
	agent, proxy   string
}

// completionIndex is the variable with the index of an Indexed Job's pod, from 0 (Kubernetes
// documentation, Indexed Job).
const completionIndex = "JOB_COMPLETION_INDEX"

// NewTraffic returns the command of the traffic pods.
func NewTraffic(env *Env) *cobra.Command {
	var f trafficFlags
	cmd := &cobra.Command{
		Use:    names.CommandTraffic,
		Short:  "Send a client workload's part of a run's traffic (coalmine run --cluster kind starts it)",
		Hidden: true,
		Args:   cli.Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.client == "" {
				return cli.Usage(cmd, errors.New("--client is missing"))
			}
			return env.traffic(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.client, names.FlagClient, "", "send the requests of client workload `NAME`")
	flags.StringVar(&f.scenario, "scenario", names.ScenarioDir, "`FOLDER` of the scenario")
	flags.StringVar(&f.spec, "run-spec", names.ScenarioDir+"/"+client.RunSpecFile, "`FILE` with the run spec")
	flags.StringVar(&f.agent, "agent", fmt.Sprintf("http://%s.%s:%d", names.AgentService, names.LabNamespace,
		names.AgentPort),
		"`URL` of the agent")
	flags.StringVar(&f.proxy, "proxy", fmt.Sprintf("http://127.0.0.1:%d/ready", names.AdminPort),
		"in a meshed pod, wait until `URL` of its proxy answers 200")
	return cmd
}

// traffic sends until the agent says stop.
func (env *Env) traffic(ctx context.Context, f trafficFlags) error {
	s, err := env.Scenario(f.scenario)
	if err != nil {
		return err
	}
	spec, err := env.readRunSpec(f.spec)
	if err != nil {
		return err
	}
	pod, err := env.trafficPod(f.client, spec)
	if err != nil {
		return err
	}
	c := trafficpod.Config{
		Scenario: s, Spec: spec, Pod: pod, Targets: serviceURLs(s),
		Log:   slog.New(slog.NewTextHandler(env.Err, nil)),
		Agent: &client.Agent{Base: f.agent, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}
	unmeshed := func(c scenario.Client) bool { return c.Name == f.client && c.Unmeshed }
	if !slices.ContainsFunc(s.Clients, unmeshed) {
		c.Proxy = f.proxy
	}
	return trafficpod.Run(ctx, c)
}

// trafficPod returns which of a client's pods this is.
func (env *Env) trafficPod(name string, spec client.RunSpec) (client.TrafficPod, error) {
	index, err := strconv.Atoi(env.Getenv(completionIndex))
	if err != nil {
		return client.TrafficPod{}, input.New("run it as a pod of an Indexed Job", "%s is %q: want the pod's index",
			completionIndex, env.Getenv(completionIndex))
	}
	return client.TrafficPod{
		Client: name, Index: index + 1, Count: cmp.Or(spec.TrafficPods[name], 1), Process: rand.Text(),
	}, nil
}

// serviceURLs returns where the services of a scenario are in the cluster.
func serviceURLs(s *scenario.Scenario) map[string]*url.URL {
	targets := map[string]*url.URL{}
	for _, svc := range s.Services {
		targets[svc.Name] = &url.URL{Scheme: "http", Host: fmt.Sprintf("%s.%s.svc:%d", svc.Name,
			scenario.Namespace, svc.Port)}
	}
	return targets
}
