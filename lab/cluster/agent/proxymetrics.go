package agent

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"coalmine/lab/cluster/names"
)

// proxies asks the pods' proxies for their metrics.
type proxies struct {
	client *http.Client
	// port is that of the proxies' metrics.
	port int
}

// A proxy answers from memory: one that takes longer is as good as gone. A few thousand series are under a megabyte.
const (
	proxyTimeout = 3 * time.Second
	maxMetrics   = 32 << 20
)

func newProxies() *proxies {
	return &proxies{client: &http.Client{Timeout: proxyTimeout}, port: names.AdminPort}
}

// clients returns the identities of those who called a port of a pod so far, "" for a client without mutual TLS. The kubelet's probes
// and what a pod asks of itself are nobody's calls.
func (p *proxies) clients(ctx context.Context, ip string, port int) ([]string, error) {
	address := net.JoinHostPort(ip, strconv.Itoa(p.port))
	families, err := p.read(ctx, "http://"+address+"/metrics")
	if err != nil {
		return nil, fmt.Errorf("the proxy at %s: %w", address, err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"request_total", "inbound_http_authz_deny_total"} {
		for _, m := range families[name].GetMetric() {
			if identity, ok := clientIdentity(labelsOf(m), port); ok && valueOf(m) > 0 {
				seen[identity] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

func (p *proxies) read(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // what counts was read before
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(io.LimitReader(resp.Body, maxMetrics))
}

func labelsOf(m *dto.Metric) map[string]string {
	all := map[string]string{}
	for _, l := range m.GetLabel() {
		all[l.GetName()] = l.GetValue()
	}
	return all
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return m.GetGauge().GetValue()
}

// clientIdentity reads who a series of inbound requests is of; false for one that says nothing of the port's clients. Labels are Linkerd's
// (linkerd2-proxy, linkerd/app/core/src/metrics.rs).
func clientIdentity(l map[string]string, port int) (identity string, ok bool) {
	_, to, err := net.SplitHostPort(l["target_addr"])
	switch {
	case l["direction"] == "outbound", l["tls"] == "loopback", l["route_name"] == "probe", l["authz_name"] == "probe":
		return "", false
	case err == nil && to != strconv.Itoa(port):
		return "", false
	case l["srv_port"] != "" && l["srv_port"] != strconv.Itoa(port):
		return "", false
	}
	return l["client_id"], true
}
