//go:build !windows

package attack

import "syscall"

var (
	refusals = []syscall.Errno{syscall.ECONNREFUSED}
	resets   = []syscall.Errno{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE}
)
