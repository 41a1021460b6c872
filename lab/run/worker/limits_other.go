//go:build !linux

package worker

import "runtime/debug"

// limitProcess limits what this process may take. Elsewhere than on Linux only the heap is bounded, and only softly: there the
// player's patience is what ends a run that takes too much.
func limitProcess() error {
	debug.SetMemoryLimit(1 << 30)
	return nil
}
