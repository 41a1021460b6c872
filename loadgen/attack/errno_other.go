//go:build !windows

package attack

import (
	"syscall"

	"coalmine/loadgen"
)

var (
	refusals     = []syscall.Errno{syscall.ECONNREFUSED}
	resets       = []syscall.Errno{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE}
	unreachables = []syscall.Errno{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN}
	// localLimits are errors of connect(2) and socket(2) that are not about the peer.
	localLimits = []localLimit{
		{syscall.EADDRNOTAVAIL, loadgen.FailurePorts}, {syscall.EADDRINUSE, loadgen.FailurePorts},
		{syscall.EMFILE, loadgen.FailureDescriptors}, {syscall.ENFILE, loadgen.FailureDescriptors},
		{syscall.ENOBUFS, loadgen.FailureMemory}, {syscall.ENOMEM, loadgen.FailureMemory},
	}
)
