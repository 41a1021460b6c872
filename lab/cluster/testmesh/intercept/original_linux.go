package intercept

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// soOriginalDst is SO_ORIGINAL_DST, and IP6T_SO_ORIGINAL_DST as well (linux/netfilter_ipv4.h,
// netfilter_ipv6/ip6_tables.h).
const soOriginalDst = 80

// OriginalDestination returns the destination of a connection before it was redirected. For a
// connection that was not redirected it returns the local address, or an error.
func OriginalDestination(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	local, _ := c.LocalAddr().(*net.TCPAddr)
	if local == nil {
		return netip.AddrPort{}, net.ErrClosed
	}
	var dst netip.AddrPort
	ask := original6
	if local.IP.To4() != nil {
		ask = original4
	}
	if cerr := raw.Control(func(fd uintptr) { dst, err = ask(fd) }); cerr != nil {
		return netip.AddrPort{}, cerr
	}
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: the connection was not redirected", err)
	}
	return dst, err
}

// original4 reads a sockaddr_in: the family, the port in network order, the address.
func original4(fd uintptr) (netip.AddrPort, error) {
	var sa unix.RawSockaddrInet4
	if err := getsockopt(fd, unix.SOL_IP, unsafe.Pointer(&sa), unix.SizeofSockaddrInet4); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), networkOrder(sa.Port)), nil
}

func original6(fd uintptr) (netip.AddrPort, error) {
	var sa unix.RawSockaddrInet6
	if err := getsockopt(fd, unix.SOL_IPV6, unsafe.Pointer(&sa), unix.SizeofSockaddrInet6); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), networkOrder(sa.Port)), nil
}

func networkOrder(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}

func getsockopt(fd uintptr, level int, to unsafe.Pointer, size uint32) error {
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), soOriginalDst, uintptr(to),
		uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
