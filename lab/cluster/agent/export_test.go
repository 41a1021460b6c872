package agent

import "context"

// ProxiesAt lets a test say where the pods' proxies show their metrics.
func (d *Agent) ProxiesAt(port int) { d.proxies.port = port }

// WatchDenials looks once who keeps requests out.
func (d *Agent) WatchDenials(ctx context.Context) error { return d.watchDenials(ctx) }
