package worker

import (
	"fmt"
	"runtime/debug"
	"syscall"
)

// Limits of a worker process. A run takes about half a second of CPU time and 100 MB.
const (
	cpuSeconds = 120
	dataBytes  = 1 << 30   // above it the kernel refuses allocations
	heapBytes  = 512 << 20 // soft limit of the garbage collector
	openFiles  = 256
	fileBytes  = 256 << 20
)

// limitProcess limits the resources of this process.
func limitProcess() error {
	debug.SetMemoryLimit(heapBytes)
	for _, l := range []struct {
		name     string
		resource int
		limit    uint64
	}{
		{"CPU time", syscall.RLIMIT_CPU, cpuSeconds},
		{"memory", syscall.RLIMIT_DATA, dataBytes},
		{"open files", syscall.RLIMIT_NOFILE, openFiles},
		{"size of files", syscall.RLIMIT_FSIZE, fileBytes},
		{"core dumps", syscall.RLIMIT_CORE, 0},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("limit the %s: %w", l.name, err)
		}
		now.Cur, now.Max = min(l.limit, now.Max), min(l.limit, now.Max)
		if err := syscall.Setrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("limit the %s: %w", l.name, err)
		}
	}
	return nil
}
