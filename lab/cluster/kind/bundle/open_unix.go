//go:build unix

package bundle

import "syscall"

// openNonBlocking keeps opening a pipe from waiting for its writer.
const openNonBlocking = syscall.O_NONBLOCK
