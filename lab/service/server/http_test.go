package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen"
	"coalmine/loadgen/traceheader"
)

func TestNewErrors(t *testing.T) {
	if _, err := server.New(server.Config{}); err == nil {
		t.Error("an empty configuration passes")
	}
	c := config(t, "shop", constant(-1), newInstantClock(t))
	if _, err := server.New(c); err == nil || !strings.HasPrefix(err.Error(), "server: shop v1: routes") {
		t.Errorf("an invalid behaviour: %v", err)
	}
	c.Model = func(uint64) (*service.Model, error) { return nil, nil }
	if _, err := server.New(c); err == nil {
		t.Error("no model passes")
	}
}

func TestPathsAndMethods(t *testing.T) {
	x := start(t, config(t, "shop", constant(time.Millisecond), newInstantClock(t)))
	for _, c := range []struct {
		method, path string
		status       int
		route, allow string
	}{
		{"GET", "/", 200, "home", ""}, {"GET", "/items/42", 200, "item", ""}, {"GET", "/items/x?y=1", 200, "item", ""},
		{"POST", "/pay", 200, "pay", ""}, {"GET", "/pay", 405, "", "POST"}, {"PUT", "/", 405, "", "GET"},
		{"GET", "/nowhere", 404, "", ""}, {"GET", "/items/", 404, "", ""}, {"GET", "/favicon.ico", 404, "", ""},
		{"POST", "/metrics", 405, "", "GET, HEAD"}, {"GET", "/healthz", 200, "", ""}, {"GET", "/readyz", 200, "", ""},
	} {
		a := x.ask(c.method, c.path)
		if a.status != c.status || a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, allowed %q", c.method, c.path, a.status, a.header.Get("Allow"))
		}
		if c.route != "" && a.json(t)["route"] != c.route {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
		if a.status >= 400 && (a.json(t)["error"] == nil || a.header.Get(traceheader.ServedHeader) != "shop=v1") {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
	}
	if a := x.ask("GET", "/nowhere"); !strings.Contains(a.body,
		"the routes are GET /, GET /items/{item}?view=full, POST /pay, GET /ledger") {
		t.Errorf("an unknown path: %s", a.body)
	}
	if a := x.ask("HEAD", "/"); a.status != 200 || a.body != "" || a.header.Get("Content-Length") != "128" {
		t.Errorf("HEAD: %+v", a)
	}
	if got := x.metric("app_http_requests_total{cohort=\"unknown\",route=\"home\""); !strings.HasSuffix(got, " 2") {
		t.Errorf("requests for home: %s", got)
	}
}

// Routes of the scenario take precedence over the paths for operators.
func TestScenarioRoutesTakePrecedence(t *testing.T) {
	c := config(t, "shop", constant(time.Millisecond), newInstantClock(t))
	w := *c.Workload
	w.Routes = append(w.Routes[:3:3], loadgen.Route{Name: "ledger", Path: "/metrics?all", Method: "GET"})
	c.Workload = &w
	x := start(t, c)
	if a := x.ask("GET", "/metrics"); a.json(t)["route"] != "ledger" {
		t.Errorf("/metrics: %s", a.body)
	}
	if a := x.ask("GET", "/healthz"); a.body != "alive\n" {
		t.Errorf("/healthz: %s", a.body)
	}
}

func TestBodySize(t *testing.T) {
	for _, size := range []int{1, 2, 3, 50, 60, 61, 62, 63, 64, 73, 74, 75, 127, 128, 511, 512, 513, 16 << 10,
		1<<20 + 1, service.MaxSize} {
		b := constant(time.Millisecond)
		b.Routes[""] = service.RouteBehaviour{Size: size}
		x := start(t, config(t, "shop", b, newInstantClock(t)))
		a := x.ask("GET", "/", traceheader.RequestHeader+": seq=17, user=1, seed=2, cohort=premium")
		if len(a.body) != size || a.header.Get("Content-Length") != fmt.Sprint(size) || !json.Valid([]byte(a.body)) {
			t.Errorf("%d bytes, want %d: %.200q", len(a.body), size, a.body)
		}
		if size >= 74 && a.json(t)["seq"] != 17.0 {
			t.Errorf("%d bytes have no number: %.200q", size, a.body)
		}
	}
}

func TestStatusesWithoutABody(t *testing.T) {
	for _, status := range []int{204, 304, 418} {
		b := constant(time.Millisecond)
		b.Faults = []service.Fault{{Name: "x", Effect: service.Effect{Status: status}}}
		x := start(t, config(t, "shop", b, newInstantClock(t)))
		for range 2 { // on one connection
			if a := x.ask("GET", "/"); a.status != status || a.err != nil || (a.body == "") != (status < 400) {
				t.Errorf("status %d: %+v", status, a)
			}
		}
	}
}

func TestRequestBodyLimit(t *testing.T) {
	x := start(t, config(t, "shop", constant(time.Millisecond), newInstantClock(t)))
	post := func(body io.Reader) response { return x.askWith(context.Background(), "POST", "/pay", body) }
	if a := post(strings.NewReader(strings.Repeat("x", 1<<20))); a.status != 200 {
		t.Errorf("a body of 1 MiB: %d %v", a.status, a.err)
	}
	if a := post(io.LimitReader(forever{}, 1<<20+1)); a.status != 413 && a.err == nil {
		t.Errorf("a longer one: %d", a.status)
	}
	w := dial(t, x)
	w.send("POST /pay HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort")
	if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := w.line(); got != "HTTP/1.1 400 Bad Request" {
		t.Errorf("a body cut off: %q", got)
	}
}

// forever is an endless body.
type forever struct{}

func (forever) Read(b []byte) (int, error) { return len(b), nil }

func TestHeaderLimit(t *testing.T) {
	x := start(t, config(t, "shop", constant(time.Millisecond), newInstantClock(t)))
	if a := x.ask("GET", "/", "Cookie: a="+strings.Repeat("x", 40<<10)); a.status != 200 {
		t.Errorf("40 KiB: %d %v", a.status, a.err)
	}
	if a := x.ask("GET", "/", "Cookie: a="+strings.Repeat("x", 100<<10)); a.status != 431 {
		t.Errorf("100 KiB: %d %v", a.status, a.err)
	}
}

// panicking is a clock that panics while broken is set.
type panicking struct {
	server.Clock
	broken *atomic.Bool
}

func (c panicking) SleepUntil(ctx context.Context, until time.Time) error {
	if c.broken.Load() {
		panic("the clock is broken")
	}
	return c.Clock.SleepUntil(ctx, until)
}

func TestRecoverPanic(t *testing.T) {
	b := constant(time.Millisecond)
	b.Capacity.Concurrency = 1
	clock := panicking{newInstantClock(t), &atomic.Bool{}}
	x := start(t, config(t, "shop", b, clock))
	clock.broken.Store(true)
	for range 2 { // the slot came back
		if a := x.ask("GET", "/"); a.status != 500 || a.json(t)["error"] == nil {
			t.Errorf("%d %q", a.status, a.body)
		}
	}
	clock.broken.Store(false)
}

// Names, labels and buckets of metrics are those of the sim.
func TestMetricsMatchTheSim(t *testing.T) {
	x := start(t, config(t, "shop", constant(time.Millisecond), newInstantClock(t)))
	x.ask("GET", "/", "Cookie: session=s5; tier=premium")
	got := map[string]bool{}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(x.ask("GET", "/metrics").body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app_http_requests_total", "app_http_request_duration_seconds"} {
		for _, m := range families[name].GetMetric() {
			for _, series := range seriesOf(name, m) {
				got[series] = true
			}
		}
	}

	want, reg := map[string]bool{}, mesh.NewRegistry()
	reg.App(1, nil, "home", "premium", "v1").Response(200, time.Millisecond)
	reg.Collect(0, func(_ int, labels []mesh.Label, _ float64) {
		set := model.Metric{}
		for _, l := range labels {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
		want[set.String()] = true
	})
	for series := range want {
		if !got[series] {
			t.Errorf("the sim has %s, the service does not", series)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the service has %d series, the sim %d", len(got), len(want))
	}
	for _, name := range []string{"process_cpu_seconds_total", "go_goroutines", "coalmine_app_held"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// seriesOf returns the series of a metric.
func seriesOf(name string, m *dto.Metric) []string {
	with := func(suffix string, more ...string) string {
		set := model.Metric{model.MetricNameLabel: model.LabelValue(name + suffix)}
		for _, l := range m.GetLabel() {
			set[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
		}
		if len(more) > 0 {
			set["le"] = model.LabelValue(more[0])
		}
		return set.String()
	}
	if m.Histogram == nil {
		return []string{with("")}
	}
	list := []string{with("_count"), with("_sum")}
	for _, b := range m.Histogram.Bucket {
		list = append(list, with("_bucket", fmt.Sprint(b.GetUpperBound())))
	}
	return list
}

func TestStopDrains(t *testing.T) {
	clock := newHandClock(t)
	c := config(t, "shop", constant(time.Second), clock)
	c.Linger = 3 * time.Second
	x := start(t, c)
	under := x.later(context.Background(), "GET", "/")
	clock.await(1)
	x.stop()
	clock.await(2) // the request, and the stop that lingers
	if a := x.ask("GET", "/readyz"); a.status != 503 || a.body != "stopping\n" {
		t.Errorf("readiness: %d %q", a.status, a.body)
	}
	late := x.later(context.Background(), "GET", "/") // who has not heard of it is served
	clock.await(3)
	clock.advance(time.Second)
	if a, b := <-under, <-late; a.status != 200 || b.status != 200 {
		t.Errorf("under way: %+v and %+v", a, b)
	}
	last := x.later(context.Background(), "GET", "/")
	clock.await(2)
	clock.advance(2 * time.Second) // listening ends
	if a := <-last; a.status != 200 {
		t.Errorf("under way at the end: %+v", a)
	}
	if err := x.ended(); err != nil {
		t.Errorf("the stop ended with %v", err)
	}
	if a := x.ask("GET", "/healthz"); a.err == nil {
		t.Errorf("after the stop: %d", a.status)
	}
}

// Load generators open connections in advance.
func TestStopDoesNotWaitForUnusedConnections(t *testing.T) {
	clock := newHandClock(t)
	x := start(t, config(t, "shop", constant(time.Second), clock))
	unused, used := dial(t, x), dial(t, x)
	used.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	used.line()
	x.stop()
	for _, w := range []*wire{unused, used} { // the hand of the clock does not move: nothing is broken off by it
		if rest, err := io.ReadAll(w.reader); err != nil || w == unused && len(rest) > 0 {
			t.Errorf("the connection ends with %q, %v", rest, err)
		}
	}
}

func TestStopDoesNotWaitForever(t *testing.T) {
	clock := newHandClock(t)
	c := config(t, "shop", constant(time.Hour), clock)
	c.Drain = 5 * time.Second
	x := start(t, c)
	under := x.later(context.Background(), "GET", "/")
	clock.await(1)
	x.stop()
	clock.await(2)
	clock.advance(5 * time.Second)
	if a := <-under; !errors.Is(a.err, io.EOF) {
		t.Errorf("the request that takes too long: %+v", a)
	}
	if err := x.ended(); err != nil {
		t.Errorf("the stop ended with %v", err)
	}
}

func TestListenerFails(t *testing.T) {
	s, err := server.New(config(t, "shop", constant(0), newInstantClock(t)))
	if err != nil {
		t.Fatal(err)
	}
	l := httptest.NewUnstartedServer(nil).Listener
	l.Close()
	if err := s.Serve(context.Background(), l); err == nil || errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving on a closed listener: %v", err)
	}
}
