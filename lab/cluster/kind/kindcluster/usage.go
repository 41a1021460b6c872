package kindcluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Usage is the resource use of the cluster's containers.
type Usage struct {
	// Memory is the working set in bytes: memory in use without what the kernel can reclaim, as
	// kubelet and docker stats count it.
	Memory int64
	// CPU is cores in use, over SampledFor.
	CPU        float64
	SampledFor time.Duration
}

// sampleScript prints the numbers of the node's control group, version 2 or 1, twice. Names and
// units are from Documentation/admin-guide/cgroup-v{1,2} of the kernel: microseconds there,
// nanoseconds here.
const sampleScript = `cd /sys/fs/cgroup
read_cpu() {
  if [ -e cgroup.controllers ]; then awk '$1 == "usage_usec" { print $2 * 1000 }' cpu.stat; else cat cpuacct/cpuacct.usage; fi
}
if [ -e cgroup.controllers ]; then
  cat memory.current; awk '$1 == "inactive_file" { print $2 }' memory.stat
else
  cat memory/memory.usage_in_bytes; awk '$1 == "total_inactive_file" { print $2 }' memory/memory.stat
fi
date +%s%N; read_cpu; sleep 0.2; date +%s%N; read_cpu`

// Usage samples for a fifth of a second.
func (c *Cluster) Usage(ctx context.Context) (Usage, error) {
	all, err := c.containers(ctx)
	if err != nil {
		return Usage{}, err
	}
	var sum Usage
	for _, n := range all {
		out, err := docker(ctx, "exec", n.Name, "sh", "-c", sampleScript)
		if err != nil {
			return Usage{}, err
		}
		u, err := parseUsage(out)
		if err != nil {
			return Usage{}, fmt.Errorf("resource use of %s: %w", n.Name, err)
		}
		sum.Memory += u.Memory
		sum.CPU += u.CPU
		sum.SampledFor = u.SampledFor
	}
	return sum, nil
}

// parseUsage reads the output of sampleScript: bytes used, bytes inactive, then twice a clock and
// the CPU time, in nanoseconds.
func parseUsage(out string) (Usage, error) {
	fields := strings.Fields(out)
	const want = 6
	if len(fields) != want {
		return Usage{}, fmt.Errorf("%d numbers, want %d: %q", len(fields), want, out)
	}
	var v [want]int64
	for i, f := range fields {
		// awk prints large numbers with an exponent.
		x, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return Usage{}, err
		}
		v[i] = int64(x)
	}
	u := Usage{Memory: max(0, v[0]-v[1]), SampledFor: time.Duration(v[4] - v[2])}
	if u.SampledFor > 0 {
		u.CPU = float64(v[5]-v[3]) / float64(u.SampledFor)
	}
	return u, nil
}
