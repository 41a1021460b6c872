package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/agent/trafficpod"
	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
)

// trafficFlags are the options of traffic.
type trafficFlags struct {
	client, pod    string
	scenario, spec string
	seed           uint64
	agent, proxy   string
	targets        []string
}

// completionIndex is the variable in which an Indexed Job tells a pod which one it is, from 0 (Kubernetes documentation, Indexed Job).
const completionIndex = "JOB_COMPLETION_INDEX"

// noProxy says that a pod has none.
const noProxy = "none"

func newTrafficCommand(env *Env) *cobra.Command {
	var f trafficFlags
	cmd := &cobra.Command{
		Use:    "traffic",
		Short:  "Send a client workload's part of a flight's traffic (started by coalmine run --cluster kind)",
		Hidden: true,
		Args:   exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.client == "" {
				return usage(cmd, errors.New("--client is missing"))
			}
			return env.traffic(cmd.Context(), f, cmd.Flags().Changed("seed"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.client, "client", "", "send the requests of client workload `NAME`")
	flags.StringVar(&f.pod, "shard", "", "be shard `I/N` (default by "+completionIndex+" and the flight)")
	flags.StringVar(&f.scenario, "scenario", names.ScenarioDir, "`FOLDER` of the scenario")
	flags.StringVar(&f.spec, "flight", names.ScenarioDir+"/"+client.RunSpecFile, "`FILE` with the flight")
	flags.Uint64Var(&f.seed, "seed", 0, "seed `N` of the plan, without a flight")
	flags.StringVar(&f.agent, "desk", fmt.Sprintf("http://%s.%s:%d", names.AgentService, names.LabNamespace, names.AgentPort), "`URL` of the desk")
	flags.StringVar(&f.proxy, "proxy", fmt.Sprintf("http://127.0.0.1:%d/ready", names.AdminPort),
		"wait until `URL` of the pod's proxy answers 200; "+noProxy+" for a pod without one")
	flags.StringArrayVar(&f.targets, "target", nil, "a service that is elsewhere, as `NAME=URL`, repeatable")
	return cmd
}

// traffic sends until the desk says stop.
func (env *Env) traffic(ctx context.Context, f trafficFlags, seeded bool) error {
	s, err := env.readScenario(f.scenario)
	if err != nil {
		return err
	}
	flight := client.RunSpec{Seed: f.seed}
	if !seeded {
		if flight, err = env.readRunSpec(f.spec); err != nil {
			return err
		}
	}
	who, err := env.trafficPodOf(f, flight)
	if err != nil {
		return err
	}
	targets, err := serviceURLs(s, f.targets)
	if err != nil {
		return err
	}
	c := trafficpod.Config{
		Scenario: s, Seed: flight.Seed, Pod: who, Targets: targets, Log: slog.New(slog.NewTextHandler(env.Err, nil)),
		Agent: &client.Agent{Base: f.agent, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}
	if f.proxy != noProxy && meshedClient(s, f.client) {
		c.Proxy = f.proxy
	}
	return trafficpod.Run(ctx, c)
}

// trafficPodOf tells the pods of a Job apart.
func (env *Env) trafficPodOf(f trafficFlags, flight client.RunSpec) (client.TrafficPod, error) {
	text := f.pod
	if text == "" {
		index, err := strconv.Atoi(env.Getenv(completionIndex))
		if err != nil {
			return client.TrafficPod{}, invalid("give --shard I/N, or run as a pod of an Indexed Job", "which shard is it? %s is %q", completionIndex, env.Getenv(completionIndex))
		}
		text = fmt.Sprintf("%d/%d", index+1, cmp.Or(flight.TrafficPods[f.client], 1))
	}
	part, err := loadgen.ParseShard(text)
	if err != nil {
		return client.TrafficPod{}, invalid("", "--%w", err)
	}
	return client.TrafficPod{Client: f.client, Index: part.Index, Count: part.Count, Process: rand.Text()}, nil
}

func meshedClient(s *scenario.Scenario, name string) bool {
	for _, c := range s.Clients {
		if c.Name == name {
			return !c.Unmeshed
		}
	}
	return true
}

// serviceURLs are where the services of a scenario are, in the cluster unless it is said.
func serviceURLs(s *scenario.Scenario, elsewhere []string) (map[string]*url.URL, error) {
	targets := map[string]*url.URL{}
	for _, svc := range s.Services {
		targets[svc.Name] = &url.URL{Scheme: "http", Host: fmt.Sprintf("%s.%s.svc:%d", svc.Name, scenario.Namespace, svc.Port)}
	}
	for _, text := range elsewhere {
		name, u, err := namedURL(text)
		if err != nil {
			return nil, err
		}
		if targets[name] == nil {
			return nil, invalid("", "--target %s: scenario %s has no service %q", text, s.Name, name)
		}
		targets[name] = u
	}
	return targets, nil
}

// namedURL reads NAME=URL.
func namedURL(text string) (string, *url.URL, error) {
	name, address, ok := strings.Cut(text, "=")
	if !ok {
		return "", nil, invalid("write NAME=URL", "--target %q has no service", text)
	}
	u, err := targetURL(address)
	return name, u, err
}
