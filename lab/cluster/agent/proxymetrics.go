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

// proxies reads the metrics of the pods' proxies.
type proxies struct {
	client *http.Client
	// port is the proxies' metrics port.
	port int
}

// A proxy answers from memory, in well under the timeout. A few thousand series are less than a
// megabyte.
const (
	proxyTimeout = 3 * time.Second
	maxMetrics   = 32 << 20
)

func newProxies() *proxies {
	return &proxies{client: &http.Client{Timeout: proxyTimeout}, port: names.AdminPort}
}

// clients returns the identities of those who have called a port of a pod, "" for a client without
// mTLS. Probes of the kubelet and calls of a pod to itself do not count.
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
	defer resp.Body.Close() // everything of interest was read
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

// clientIdentity returns the client of a series of inbound requests, or false if the series is not
// about clients of the port. Labels are Linkerd's (linkerd2-proxy,
// linkerd/app/core/src/metrics.rs).
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
