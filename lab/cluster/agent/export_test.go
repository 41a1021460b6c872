package agent

import "context"

// ProxiesAt sets the port of the proxies' metrics.
func (a *Agent) ProxiesAt(port int) { a.proxies.port = port }

// WatchDenials updates once which workloads deny requests.
func (a *Agent) WatchDenials(ctx context.Context) error { return a.watchDenials(ctx) }
