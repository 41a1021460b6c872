package attack

import (
	"syscall"

	"golang.org/x/sys/windows"

	"coalmine/loadgen"
)

var (
	refusals     = []syscall.Errno{windows.WSAECONNREFUSED}
	resets       = []syscall.Errno{windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAESHUTDOWN}
	unreachables = []syscall.Errno{windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAEHOSTDOWN,
		windows.WSAENETDOWN}
	localLimits = []localLimit{
		{windows.WSAEADDRNOTAVAIL, loadgen.FailurePorts}, {windows.WSAEADDRINUSE, loadgen.FailurePorts},
		{windows.WSAEMFILE, loadgen.FailureDescriptors}, {windows.WSAENOBUFS, loadgen.FailureMemory},
	}
)
