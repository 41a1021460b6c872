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

// Limits of a process that reads files of others. The largest trial takes a tenth of that.
const (
	readerCPUSeconds = 300
	readerDataBytes  = 3 << 30
	readerHeapBytes  = 1 << 30
)

// limit is a limit of the operating system.
type limit struct {
	name     string
	resource int
	limit    uint64
}

// limitProcess limits the resources of this process to those of one run.
func limitProcess() error { return Limit(cpuSeconds) }

// Limit limits the resources of this process, which plays runs for this long in CPU seconds at most.
func Limit(seconds int) error {
	debug.SetMemoryLimit(heapBytes)
	debug.SetGCPercent(GCPercent)
	return set(
		limit{"CPU time", syscall.RLIMIT_CPU, uint64(seconds)},
		limit{"memory", syscall.RLIMIT_DATA, dataBytes},
		limit{"open files", syscall.RLIMIT_NOFILE, openFiles},
		limit{"size of files", syscall.RLIMIT_FSIZE, fileBytes},
		limit{"core dumps", syscall.RLIMIT_CORE, 0},
	)
}

// LimitReader limits the resources of this process, which reads guardrails or run folders of others
// and then ends. Readers have bounds of their own; this is for what they miss. If interactive is
// set, the time is not limited.
func LimitReader(interactive bool) error {
	debug.SetMemoryLimit(readerHeapBytes)
	limits := []limit{{"memory", syscall.RLIMIT_DATA, readerDataBytes}, {"core dumps", syscall.RLIMIT_CORE, 0}}
	if !interactive {
		limits = append(limits, limit{"CPU time", syscall.RLIMIT_CPU, readerCPUSeconds})
	}
	return set(limits...)
}

func set(limits ...limit) error {
	for _, l := range limits {
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
