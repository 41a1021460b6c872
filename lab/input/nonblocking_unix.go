//go:build unix

package input

import "syscall"

// NonBlocking keeps opening a pipe from waiting for its other end.
const NonBlocking = syscall.O_NONBLOCK
