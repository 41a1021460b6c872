// Package intercept leads a pod's TCP connections through its proxy: it writes the redirects into the nftables of the network
// namespace that it runs in. It knows ports and a user id, and nothing of what the proxy does.
//
// The rules are those of Linkerd's init container (linkerd2-proxy-init, proxy-init/iptables/iptables.go), written for nftables
// over netlink, so that the image needs no iptables:
//
//	output:     of the proxy's user: leave; out by lo: leave; to a skipped port: leave; tcp: redirect to 4140
//	prerouting: in by lo: leave; to 4190, 4191 or a skipped port: leave; tcp: redirect to 4143
//
// What a pod sends to its own address, or to its own Service once the proxy has chosen the pod itself, leaves by lo and is
// redirected no more: it goes past the inbound proxy, as with Linkerd. The original destination is what SO_ORIGINAL_DST tells.
package intercept

import "coalmine/lab/cluster/testmesh/ports"

// Table is the name of the nftables table.
const Table = "coalmine"

// policyPort and the admin's are never redirected: probes and scrapes of the proxy itself (linkerd2, values proxy.ports).
const policyPort = 4190

// Rules are what to redirect.
type Rules struct {
	// User is the user id of the proxy, whose connections are left alone.
	User uint32
	// Outbound and Inbound are the proxy's ports, Admin the one that it answers itself.
	Outbound, Inbound, Admin uint16
	// SkipOutbound are ports of destinations, SkipInbound ports of the pod that are left alone.
	SkipOutbound, SkipInbound ports.Set
}

// skippedInbound are the ports of the pod that are left alone.
func (r Rules) skippedInbound() ports.Set {
	own := ports.Set{{First: policyPort, Last: policyPort}, {First: r.Admin, Last: r.Admin}}
	return append(own, r.SkipInbound...)
}
