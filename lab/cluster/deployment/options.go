// Package deployment runs the services of a scenario as HTTP servers in this process: all of them,
// or one of them with the others elsewhere.
package deployment

import (
	"fmt"
	"time"
)

// Options select the services to run and configure them.
type Options struct {
	// Service is the only service to run; "" runs all services that have no upstream.
	Service string
	// Version is the version of Service, or of the released service, by name, role or both: v2,
	// faulty or v2-faulty. "" is the baseline.
	Version string
	// VersionLabel is what the service calls Version in metrics and responses; "" is its own name.
	VersionLabel string
	// Listen is the address of the first service. The others listen on free ports of the loopback
	// interface.
	Listen string
	// Upstreams are services that run elsewhere, as NAME=URL.
	Upstreams []string
	// Faults are added to Version.
	Faults []string
	// Seed decides the fate of requests that are not part of a plan.
	Seed uint64
	// Weight is the percentage of the service's traffic that Version gets.
	Weight float64
	// WeightFrom is the URL of the agent that is polled for the weight; "" keeps Weight.
	WeightFrom string
	// Workload is the name of the Deployment, which responses name; "" if there is none.
	Workload string
	// Metrics is another address for /metrics, /healthz and /readyz; "" for none.
	Metrics string
	// ExitOnKill ends the process instead of restarting a service that runs out of memory.
	ExitOnKill bool
	// Linger is how long services stay up, but not ready, after a stop. Drain is the time for
	// requests in flight after that.
	Linger, Drain time.Duration
}

// Validate checks the options that do not depend on the scenario.
func (o Options) Validate() error {
	switch {
	case !(o.Weight > 0 && o.Weight <= 100):
		return fmt.Errorf("weight is %v: write a percentage over 0 and up to 100", o.Weight)
	case o.Linger < 0:
		return fmt.Errorf("linger is %v: write a time of 0 or more", o.Linger)
	case o.Drain <= 0:
		return fmt.Errorf("drain is %v: write a time over 0", o.Drain)
	case o.Seed > 1<<53:
		return fmt.Errorf("seed is %d: write a number up to 2^53, which JSON keeps exactly", o.Seed)
	}
	return nil
}
