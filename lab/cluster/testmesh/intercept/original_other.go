//go:build !linux

package intercept

import (
	"errors"
	"net"
	"net/netip"
)

// OriginalDestination is for Linux: it is an error elsewhere.
func OriginalDestination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.New("only Linux tells where a redirected connection was on its way to")
}
