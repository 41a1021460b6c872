//go:build !linux

package worker

import "runtime/debug"

// limitProcess limits the resources of this process. On systems other than Linux it only sets a
// soft limit of the heap; the player's timeout ends a run that takes too much.
func limitProcess() error { return Limit(0) }

// Limit does for a number of runs what limitProcess does for one.
func Limit(int) error {
	debug.SetMemoryLimit(1 << 30)
	debug.SetGCPercent(GCPercent)
	return nil
}

// LimitReader does for readers of others' files what limitProcess does for workers.
func LimitReader(bool) error {
	debug.SetMemoryLimit(1 << 30)
	return nil
}
