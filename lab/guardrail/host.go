package guardrail

import (
	"encoding/binary"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// LabPrometheus is the address of the lab's Prometheus: the one that linkerd-viz installs.
const LabPrometheus = "http://prometheus.linkerd-viz:9090"

// IsLabPrometheus tells whether the address is the lab's Prometheus, under any of the names that Kubernetes gives it.
func IsLabPrometheus(address string) bool {
	switch strings.TrimSuffix(address, "/") {
	case LabPrometheus, "http://prometheus.linkerd-viz.svc:9090", "http://prometheus.linkerd-viz.svc.cluster.local:9090":
		return true
	}
	return false
}

// hostReason says what kind of place a host is, as the reason why it is not called.
func hostReason(host string) string {
	if addr, ok := parseIP(host); ok {
		return addressReason(addr)
	}
	h := strings.TrimSuffix(strings.ToLower(host), ".")
	switch {
	case h == "localhost" || strings.HasSuffix(h, ".localhost"):
		return "it is the loopback address of the machine that runs the lab"
	case h == "metadata.google.internal" || h == "metadata":
		return "it is a cloud's metadata service"
	case strings.HasSuffix(h, ".svc") || strings.HasSuffix(h, ".svc.cluster.local"):
		return "it is a service of a cluster, which the lab does not run"
	case !strings.Contains(h, ".") || strings.HasSuffix(h, ".local") || strings.HasSuffix(h, ".internal"):
		return "it is a name of a private network"
	}
	return "it is on the public network, which the lab never calls"
}

func addressReason(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case a == netip.AddrFrom4([4]byte{169, 254, 169, 254}) || a == netip.MustParseAddr("fd00:ec2::254"):
		return "it is a cloud's metadata service (link-local)"
	case a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast():
		return "it is a link-local address"
	case a.IsLoopback() || a.IsUnspecified():
		return "it is the loopback address of the machine that runs the lab"
	case a.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		return "it is an address of a private network"
	}
	return "it is an address on the public network, which the lab never calls"
}

// parseIP reads an IP address in every form that some resolver accepts: dotted, IPv6, and the forms of C's inet_aton
// with one to four parts in decimal, octal or hexadecimal (2130706433, 0x7f.1, 0177.0.0.1).
func parseIP(host string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, true
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.ContainsAny(part, "_+") {
			return netip.Addr{}, false
		}
		if i < len(parts)-1 {
			value |= (n & 0xff) << (24 - 8*i)
		} else {
			value |= n
		}
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(value))
	return netip.AddrFrom4(b), true
}

// hostOf is the host of a URL, "" if it has none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
