package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/intercept"
	"coalmine/lab/cluster/testmesh/ports"
	"coalmine/lab/cluster/testmesh/proxy"
)

// newTestMeshCommand has the parts of the stand-in mesh, which run in pods. They are told everything by the environment.
func newTestMeshCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:    "standin",
		Short:  "Run a part of the stand-in mesh (pods call this)",
		Hidden: true,
		Args:   unknownVerb,
	}
	cmd.AddCommand(newTestMeshInitCommand(env), newTestMeshProxyCommand(env), newTestMeshControlCommand(env))
	return cmd
}

func newTestMeshInitCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Redirect the connections of this pod to its proxy",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r := intercept.Rules{
				User: names.ProxyUser, Outbound: names.OutboundPort, Inbound: names.InboundPort, Admin: names.AdminPort,
			}
			var err error
			if r.SkipInbound, err = env.ports("COALMINE_SKIP_INBOUND"); err != nil {
				return err
			}
			if r.SkipOutbound, err = env.ports("COALMINE_SKIP_OUTBOUND"); err != nil {
				return err
			}
			return intercept.Install(r)
		},
	}
}

// ports reads a list of ports from a variable.
func (env *Env) ports(variable string) (ports.Set, error) {
	set, err := ports.Parse(env.Getenv(variable))
	if err != nil {
		return nil, invalid("it comes from an annotation of the pod", "%s: %w", variable, err)
	}
	return set, nil
}

func newTestMeshProxyCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "proxy",
		Short: "Run the proxy of this pod",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := env.proxyConfig()
			if err != nil {
				return err
			}
			p, err := proxy.New(cfg)
			if err != nil {
				return invalid("the stand-in's injector sets COALMINE_POD_NAME and so on", "%w", err)
			}
			return p.Run(cmd.Context())
		},
	}
}

// proxyConfig reads what the injector has written into the container.
func (env *Env) proxyConfig() (proxy.Config, error) {
	const hint = "the stand-in's injector sets it"
	ip, err := netip.ParseAddr(env.Getenv("COALMINE_POD_IP"))
	if err != nil {
		return proxy.Config{}, invalid(hint, "COALMINE_POD_IP: %w", err)
	}
	control, err := url.Parse(env.Getenv("COALMINE_CONTROL"))
	if err != nil {
		return proxy.Config{}, invalid(hint, "COALMINE_CONTROL: %w", err)
	}
	return proxy.Config{
		Pod: env.Getenv("COALMINE_POD_NAME"), Namespace: env.Getenv("COALMINE_POD_NAMESPACE"), IP: ip,
		ServiceAccount: env.Getenv("COALMINE_SERVICE_ACCOUNT"), Control: control,
		TokenFile: names.TokenFile, RootsFile: names.TrustRootsFile,
		OriginalDestination: func(c net.Conn) (netip.AddrPort, error) {
			tcp, ok := c.(*net.TCPConn)
			if !ok {
				return netip.AddrPort{}, fmt.Errorf("%T is no TCP connection", c)
			}
			return intercept.OriginalDestination(tcp)
		},
		Log: slog.New(slog.NewTextHandler(env.Err, nil)),
	}, nil
}
