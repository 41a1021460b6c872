package guardrail

import (
	"net/netip"
	"strconv"
	"strings"
)

// LabPrometheus is the address of the lab's Prometheus, which linkerd-viz installs.
const LabPrometheus = "http://prometheus.linkerd-viz:9090"

// IsLabPrometheus reports whether address is the lab's Prometheus, by any of its names in the
// cluster.
func IsLabPrometheus(address string) bool {
	switch strings.TrimSuffix(address, "/") {
	case LabPrometheus, "http://prometheus.linkerd-viz.svc:9090",
		"http://prometheus.linkerd-viz.svc.cluster.local:9090":
		return true
	}
	return false
}

// isAddress reports whether a URL's host is an IP address. Like browsers, it takes every host whose
// last label is a number for an IPv4 address, since some resolvers do: 2130706433, 0x7f.1 and
// 0177.0.0.1 are all 127.0.0.1. Source: WHATWG URL Standard, "ends in a number checker".
func isAddress(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last != "" && strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil && strings.HasPrefix(strings.ToLower(last), "0x")
}
