package trafficpod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/loadgen/traceheader"
)

// probeTimeout is less than that of a webhook, and more than a proxy waits for an endpoint.
const probeTimeout = 4 * time.Second

// runDrills sends the probes of rollback drills until the context ends.
func (p *trafficPod) runDrills(ctx context.Context, watcher *commandWatcher) {
	transport := &http.Transport{DisableKeepAlives: true} // each probe follows the current routes
	probes := &http.Client{Timeout: probeTimeout, Transport: transport}
	for last := 0; ; {
		o, err := watcher.wait(ctx, func(o client.Commands) bool { return o.Drill != nil && o.Drill.ID > last })
		if err != nil {
			return
		}
		last = o.Drill.ID
		r := client.DrillResult{TrafficPod: p.Pod, ID: last, Reached: map[string]int{}}
		mine := false
		for _, path := range o.Drill.Paths {
			if path.Client == p.Pod.Client && (o.Drill.Each || p.Pod.Index == 1) {
				mine = true
				p.probe(ctx, probes, o.Drill.Service, path, &r)
			}
		}
		if !mine {
			continue
		}
		err = retry(ctx, callTimeout, func(ctx context.Context) error { return p.Agent.ReportDrill(ctx, r) })
		if err != nil {
			p.Log.Warn("cannot report a rollback drill", "error", err)
		}
	}
}

// probe sends the probes of one path.
func (p *trafficPod) probe(ctx context.Context, c *http.Client, service string, path client.CallPath,
	r *client.DrillResult) {
	base := p.Targets[path.First]
	if base == nil {
		base = &url.URL{}
	}
	for range path.Probes {
		workload, err := probe(ctx, c, base, service)
		if err != nil {
			r.Denied = fmt.Sprintf("%s %v", path.Client, err)
			if errors.Is(err, errUnserved) {
				r.Unserved++
			}
			continue
		}
		r.Reached[workload]++
	}
}

// probe sends one probe and returns which workload of the service would have served it.
func probe(ctx context.Context, c *http.Client, base *url.URL, service string) (workload string, err error) {
	u := *base
	u.Path = "/"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set(traceheader.DrillHeader, "forward")
	req.Header.Set(traceheader.DrillToHeader, service)
	resp, err := c.Do(req)
	if err != nil {
		return "", fmt.Errorf("got no response: %w", err)
	}
	defer resp.Body.Close() // it has no information
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	switch resp.StatusCode {
	case http.StatusOK:
		return traceheader.Workload(resp.Header, service), nil
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "", fmt.Errorf("got %s%w", resp.Status, errUnserved)
	}
	return "", fmt.Errorf("got %s", resp.Status)
}

// errUnserved marks the answer of a proxy that has no endpoint. It adds nothing to the text.
var errUnserved = errors.New("")
