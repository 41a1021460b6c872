//go:build !unix

package guardrail

// openNonBlocking is nothing where files are no pipes.
const openNonBlocking = 0
