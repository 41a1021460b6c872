package agent

import (
	"context"
	"time"

	"coalmine/lab/cluster/agent/client"
)

// ProxiesAt sets the port of the proxies' metrics.
func (a *Agent) ProxiesAt(port int) { a.proxies.port = port }

// WatchDenials updates once which workloads deny requests.
func (a *Agent) WatchDenials(ctx context.Context) error { return a.watchDenials(ctx) }

// CountMesh records what the mesh did up to a time since the start of the run.
func (a *Agent) CountMesh(ctx context.Context, now time.Duration) error { return a.countMesh(ctx, now) }

// Denials returns which workload denies the requests of a client, if it is one, and whether that is
// the release's doing.
func (a *Agent) Denials(ctx context.Context, name string) (by client.WorkloadVersion, release bool, err error) {
	d, err := a.denials(ctx)
	return d.by[name], d.byRelease[name], err
}
