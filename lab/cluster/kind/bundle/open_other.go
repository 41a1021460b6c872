//go:build !unix

package bundle

// openNonBlocking is 0 on systems where opening a file does not block.
const openNonBlocking = 0
