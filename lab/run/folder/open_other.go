//go:build !unix

package folder

// openNonBlocking is 0 on systems where opening a file does not block.
const openNonBlocking = 0
