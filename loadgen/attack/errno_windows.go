package attack

import (
	"syscall"

	"golang.org/x/sys/windows"
)

var (
	refusals = []syscall.Errno{windows.WSAECONNREFUSED}
	resets   = []syscall.Errno{windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAESHUTDOWN}
)
