//go:build unix

package guardrail

import "syscall"

// openNonBlocking lets a pipe without a writer be opened at once.
const openNonBlocking = syscall.O_NONBLOCK
