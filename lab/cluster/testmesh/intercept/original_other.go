//go:build !linux

package intercept

import (
	"errors"
	"net"
	"net/netip"
)

// OriginalDestination returns an error, as it is for Linux.
func OriginalDestination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.New("only Linux knows the destination of a redirected connection")
}
