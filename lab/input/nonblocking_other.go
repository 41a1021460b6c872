//go:build !unix

package input

// NonBlocking is 0 on systems where opening a file does not block.
const NonBlocking = 0
