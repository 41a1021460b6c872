package attack

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// stale reports whether an unused connection has been closed by the peer, or has data after which
// no request should follow. On a TLS connection the data may be session tickets.
func stale(c net.Conn) bool {
	secure, isSecure := c.(*tls.Conn)
	if isSecure {
		c = secure.NetConn()
	}
	mine, ok := c.(*conn)
	if !ok {
		return false
	}
	socket, ok := mine.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	bad := true
	err = raw.Control(func(fd uintptr) {
		look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
		n, err := unix.Poll(look, 0)
		wrong := int16(unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR)
		if !isSecure {
			wrong |= unix.POLLIN
		}
		bad = err != nil || n > 0 && look[0].Revents&wrong != 0
	})
	return err != nil || bad
}
