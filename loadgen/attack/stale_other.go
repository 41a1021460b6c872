//go:build !linux

package attack

import "net"

// stale always returns false: on this system it cannot detect that the peer has closed an unused
// connection. A request on such a connection counts as a failure.
func stale(net.Conn) bool { return false }
