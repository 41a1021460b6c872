package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// meter is the proxy's registry and its text format. It is guarded by the proxy's lock.
type meter struct {
	registry *mesh.Registry
	proxy    *mesh.Proxy
	// names are the series as text, by their ID.
	names map[int]string
}

// newMeter returns a registry without labels of the pod, which the scrape adds.
func newMeter() meter {
	r := mesh.NewRegistry()
	return meter{registry: r, proxy: r.Proxy(0, nil), names: map[int]string{}}
}

// text appends all series in Prometheus's text format (github.com/prometheus/docs,
// exposition_formats).
func (m *meter) text(b []byte, now time.Duration) []byte {
	m.registry.Collect(now, func(id int, labels []mesh.Label, value float64) {
		name, ok := m.names[id]
		if !ok {
			name = seriesText(labels)
			m.names[id] = name
		}
		b = strconv.AppendFloat(append(b, name...), value, 'g', -1, 64)
		b = append(b, '\n')
	})
	return b
}

// seriesText returns a series up to its value. The first label is the name.
func seriesText(labels []mesh.Label) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	var b strings.Builder
	b.WriteString(labels[0].Value)
	for i, l := range labels[1:] {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(l.Name + `="` + escape.Replace(strings.ToValidUTF8(l.Value, "\uFFFD")) + `"`)
	}
	if len(labels) > 1 {
		b.WriteByte('}')
	}
	b.WriteByte(' ')
	return b.String()
}

// admin serves the proxy's own endpoints.
func (p *Proxy) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(p.metrics()) // a scraper that is gone scrapes again
	})
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("live\n")) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if missing := p.notReady(); missing != "" {
			http.Error(w, missing, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	return mux
}

func (p *Proxy) metrics() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.meter.text(nil, p.now())
}

// notReady returns what the proxy is waiting for, "" when it is ready.
func (p *Proxy) notReady() string {
	switch {
	case p.credentials.Load() == nil:
		return "no certificate yet: is the control plane there?"
	case !p.current().loaded:
		return "no configuration yet: is the control plane there?"
	}
	return ""
}
