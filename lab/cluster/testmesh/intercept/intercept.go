// Package intercept redirects a pod's TCP connections to its proxy, by nftables rules in the
// network namespace of the process.
//
// The rules are those of Linkerd's init container (linkerd2-proxy-init,
// proxy-init/iptables/iptables.go), written for nftables over netlink, so that the image needs no
// iptables:
//
//	output:     from the proxy's user, out by lo, or to a skipped port: accept;
//	            other TCP: redirect to 4140
//	prerouting: in by lo, or to 4190, 4191 or a skipped port: accept;
//	            other TCP: redirect to 4143
//
// What a pod sends to its own address, or to its own Service after the proxy has chosen the pod
// itself, leaves by lo and is not redirected again: it bypasses the inbound proxy, as with Linkerd.
// SO_ORIGINAL_DST has the original destination.
package intercept

import "coalmine/lab/cluster/testmesh/ports"

// Table is the name of the nftables table.
const Table = "coalmine"

// policyPort and Rules.Admin are never redirected: they are for probes and scrapes of the proxy
// itself (linkerd2, values proxy.ports).
const policyPort = 4190

// Rules are what to redirect.
type Rules struct {
	// User is the user ID of the proxy, whose connections are not redirected.
	User uint32
	// Outbound and Inbound are the proxy's ports, Admin the port of its own endpoints.
	Outbound, Inbound, Admin uint16
	// SkipOutbound are ports of destinations, SkipInbound ports of the pod that are not redirected.
	SkipOutbound, SkipInbound ports.Set
}

// skippedInbound returns the ports of the pod that are not redirected.
func (r Rules) skippedInbound() ports.Set {
	own := ports.Set{{First: policyPort, Last: policyPort}, {First: r.Admin, Last: r.Admin}}
	return append(own, r.SkipInbound...)
}
