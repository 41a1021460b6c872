package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/intercept"
	"coalmine/lab/cluster/testmesh/ports"
	"coalmine/lab/cluster/testmesh/proxy"
	"coalmine/lab/cluster/testmesh/wire"
)

// Both commands here take their options from the environment, which the injector writes.

func newInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   wire.CommandInit,
		Short: "Redirect the connections of this pod to its proxy",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r := intercept.Rules{
				User: wire.ProxyUser, Outbound: wire.OutboundPort, Inbound: wire.InboundPort, Admin: names.AdminPort,
			}
			var err error
			if r.SkipInbound, err = portsFrom(wire.EnvSkipInbound); err != nil {
				return err
			}
			if r.SkipOutbound, err = portsFrom(wire.EnvSkipOutbound); err != nil {
				return err
			}
			return intercept.Install(r)
		},
	}
}

// portsFrom parses the list of ports in a variable, which the injector copies from an annotation.
func portsFrom(variable string) (ports.Set, error) {
	set, err := ports.Parse(os.Getenv(variable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return set, nil
}

func newProxyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   wire.CommandProxy,
		Short: "Run the proxy of this pod",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := proxyConfig()
			if err != nil {
				return err
			}
			p, err := proxy.New(cfg)
			if err != nil {
				return err
			}
			return p.Run(cmd.Context())
		},
	}
}

func proxyConfig() (proxy.Config, error) {
	ip, err := netip.ParseAddr(os.Getenv(wire.EnvPodIP))
	if err != nil {
		return proxy.Config{}, fmt.Errorf("%s: %w", wire.EnvPodIP, err)
	}
	control, err := url.Parse(os.Getenv(wire.EnvControl))
	if err != nil {
		return proxy.Config{}, fmt.Errorf("%s: %w", wire.EnvControl, err)
	}
	return proxy.Config{
		Pod: os.Getenv(wire.EnvPodName), Namespace: os.Getenv(wire.EnvPodNamespace), IP: ip,
		ServiceAccount: os.Getenv(wire.EnvServiceAccount), Control: control,
		TokenFile: wire.TokenFile, RootsFile: wire.TrustRootsFile,
		OriginalDestination: func(c net.Conn) (netip.AddrPort, error) {
			tcp, ok := c.(*net.TCPConn)
			if !ok {
				return netip.AddrPort{}, fmt.Errorf("%T is not a TCP connection", c)
			}
			return intercept.OriginalDestination(tcp)
		},
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, nil
}
