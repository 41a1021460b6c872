package desk

// ProxiesAt lets a test say where the pods' proxies show their metrics.
func (d *Desk) ProxiesAt(port int) { d.proxies.port = port }
