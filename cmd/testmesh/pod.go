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
		Use:   "init",
		Short: "Redirect the connections of this pod to its proxy",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r := intercept.Rules{
				User: wire.ProxyUser, Outbound: wire.OutboundPort, Inbound: wire.InboundPort, Admin: names.AdminPort,
			}
			var err error
			if r.SkipInbound, err = portsFrom("TESTMESH_SKIP_INBOUND"); err != nil {
				return err
			}
			if r.SkipOutbound, err = portsFrom("TESTMESH_SKIP_OUTBOUND"); err != nil {
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
		Use:   "proxy",
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
	ip, err := netip.ParseAddr(os.Getenv("TESTMESH_POD_IP"))
	if err != nil {
		return proxy.Config{}, fmt.Errorf("TESTMESH_POD_IP: %w", err)
	}
	control, err := url.Parse(os.Getenv("TESTMESH_CONTROL"))
	if err != nil {
		return proxy.Config{}, fmt.Errorf("TESTMESH_CONTROL: %w", err)
	}
	return proxy.Config{
		Pod: os.Getenv("TESTMESH_POD_NAME"), Namespace: os.Getenv("TESTMESH_POD_NAMESPACE"), IP: ip,
		ServiceAccount: os.Getenv("TESTMESH_SERVICE_ACCOUNT"), Control: control,
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
