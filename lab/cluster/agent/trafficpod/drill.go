package trafficpod

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/loadgen/traceheader"
)

// probeTimeout is less than a webhook has.
const probeTimeout = 3 * time.Second

// runDrills sends the probes of rehearsed rollbacks until the context ends. They are a client's first shard's.
func (s *trafficPod) runDrills(ctx context.Context, f *commandWatcher) {
	transport := &http.Transport{DisableKeepAlives: true} // each probe is routed by what holds now
	probes := &http.Client{Timeout: probeTimeout, Transport: transport}
	for last := 0; s.Pod.Index == 1; {
		o, err := f.wait(ctx, func(o client.Commands) bool { return o.Drill != nil && o.Drill.ID > last })
		if err != nil {
			return
		}
		last = o.Drill.ID
		r := client.DrillResult{TrafficPod: s.Pod, ID: last, Reached: map[string]int{}}
		mine := false
		for _, w := range o.Drill.Paths {
			if w.Client == s.Pod.Client {
				mine = true
				s.probe(ctx, probes, o.Drill.Service, w, &r)
			}
		}
		if !mine {
			continue
		}
		err = retry(ctx, callTimeout, func(ctx context.Context) error { return s.Agent.ReportDrill(ctx, r) })
		if err != nil {
			s.Log.Warn("a drill could not be told", "error", err)
		}
	}
}

// probe sends the probes of one way.
func (s *trafficPod) probe(ctx context.Context, c *http.Client, service string, w client.CallPath, r *client.DrillResult) {
	base := s.Targets[w.First]
	if base == nil {
		base = &url.URL{}
	}
	for range w.Probes {
		workload, err := probe(ctx, c, base, service)
		if err != nil {
			r.Denied = fmt.Sprintf("%s %v", w.Client, err)
			continue
		}
		r.Reached[workload]++
	}
}

// probe sends one probe and returns which workload of the service would have served.
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
		return "", fmt.Errorf("had no answer: %w", err)
	}
	defer resp.Body.Close() // it says nothing
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("was answered %s", resp.Status)
	}
	return traceheader.Workload(resp.Header, service), nil
}
