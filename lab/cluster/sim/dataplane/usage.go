package dataplane

// Usage is what a pod of a demo service is doing.
type Usage struct {
	Pod, Deployment string
	Ready           bool
	// InWork counts the requests that it works on, out of Capacity at a time; 0 is no limit.
	InWork, Capacity int
	// Requests counts those that it got so far.
	Requests int
}

// Usage returns what the pods of demo services are doing, in the order in which they were added.
func (p *Plane) Usage() []Usage {
	var list []Usage
	for _, d := range p.pods {
		if d.Model == nil || d.removed {
			continue
		}
		u := Usage{Pod: d.Name, Deployment: d.Deployment, Ready: d.ready && d.server != nil,
			Capacity: d.Model.Behaviour().Capacity.Concurrency, Requests: d.requests}
		if d.server != nil {
			u.InWork = d.server.InWork()
		}
		list = append(list, u)
	}
	return list
}
