package desk

import "context"

// ProxiesAt lets a test say where the pods' proxies show their metrics.
func (d *Desk) ProxiesAt(port int) { d.proxies.port = port }

// WatchDenials looks once who keeps requests out.
func (d *Desk) WatchDenials(ctx context.Context) error { return d.watchDenials(ctx) }
