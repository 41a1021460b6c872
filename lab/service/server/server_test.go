package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"coalmine/lab/scenario/services"
	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen"
)

// TestMain checks for leaked goroutines. A connection that net/http closes during a request stays
// open for half a second, so that the response can arrive.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// shop is a workload with a path of each kind.
func shop() loadgen.Workload {
	return loadgen.Workload{
		Rate: loadgen.Curve{Constant: 100},
		Routes: []loadgen.Route{
			{Name: "home", Path: "/"}, {Name: "item", Path: "/items/{item}?view=full"},
			{Name: "pay", Method: "POST", Path: "/pay"},
			{Name: "ledger", Path: "/ledger", Service: "payment"},
		},
		Cohorts: []loadgen.Cohort{
			{Name: "premium", Share: 0.5, Users: 100, Mix: map[string]float64{"home": 1, "pay": 1},
				Cookies: []loadgen.Pair{{Name: "session", Value: "s{user}"}, {Name: "tier", Value: "premium"}}},
			{Name: "regular", Share: 0.5, Users: 100, Mix: map[string]float64{"home": 1},
				Cookies: []loadgen.Pair{{Name: "session", Value: "s{user}"}}},
		},
	}
}

// constant returns a behaviour with a fixed latency on every route.
func constant(d time.Duration) service.Behaviour {
	return service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {Latency: service.Latency{P50: d, P99: d}}}}
}

// testService is a server under test on a loopback port.
type testService struct {
	*server.Server
	t       testing.TB
	url     string
	stop    context.CancelFunc
	stopped chan error
	client  *http.Client
}

// config returns the configuration of version v1 of a service of the shop.
func config(t testing.TB, name string, b service.Behaviour, c server.Clock) server.Config {
	t.Helper()
	w := shop()
	plan, err := loadgen.NewPlan(w, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	w = plan.Workload()
	words := services.Vocabulary(plan)
	return server.Config{
		Service: name, Version: "v1", Workload: &w, Clock: c, Seed: 1,
		Model: func(seed uint64) (*service.Model, error) {
			return service.Compile(b, words, services.Seed(seed, name))
		},
	}
}

// start serves until the test ends, or stop is called.
func start(t testing.TB, c server.Config) *testService {
	t.Helper()
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	x := &testService{
		Server: s, t: t, url: "http://" + l.Addr().String(), stop: cancel, stopped: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{DisableCompression: true}},
	}
	go func() { x.stopped <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		if hand, ok := c.Clock.(*handClock); ok {
			hand.release()
		}
		cancel()
		x.client.CloseIdleConnections()
		if err := <-x.stopped; err != nil && !errors.Is(err, server.ErrKilled) {
			t.Errorf("serve: %v", err)
		}
	})
	return x
}

// ended returns the error of Serve.
func (x *testService) ended() error {
	err := <-x.stopped
	x.stopped <- err
	return err
}

func (x *testService) base() *url.URL {
	u, err := url.Parse(x.url)
	if err != nil {
		x.t.Fatal(err)
	}
	return u
}

// response is the response that a client got.
type response struct {
	status int
	header http.Header
	body   string
	err    error
}

func (a response) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	return m
}

// ask sends a request with headers given as "Name: value".
func (x *testService) ask(method, path string, headers ...string) response {
	return x.askWith(context.Background(), method, path, nil, headers...)
}

func (x *testService) askWith(ctx context.Context, method, path string, body io.Reader, headers ...string) response {
	r, err := http.NewRequestWithContext(ctx, method, x.url+path, body)
	if err != nil {
		return response{err: err}
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := x.client.Do(r)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(data), err}
}

// later sends a request in the background.
func (x *testService) later(ctx context.Context, method, path string, headers ...string) <-chan response {
	done := make(chan response, 1)
	go func() { done <- x.askWith(ctx, method, path, nil, headers...) }()
	return done
}

// metric returns the value of the line of /metrics with a prefix, or -1.
func (x *testService) metric(prefix string) string {
	for line := range strings.Lines(x.ask("GET", "/metrics").body) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}

// awaitMetric polls until a metric has a value.
func (x *testService) awaitMetric(t *testing.T, prefix, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); x.metric(prefix) != want; {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %s, want %s", prefix, x.metric(prefix), want)
		}
	}
}

// wire is a raw connection.
type wire struct {
	net.Conn
	t      testing.TB
	reader *bufio.Reader
}

func dial(t testing.TB, x *testService) *wire {
	t.Helper()
	c, err := net.Dial("tcp", x.base().Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{c, t, bufio.NewReader(c)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatal(err)
	}
}

// line reads one line.
func (w *wire) line() string {
	w.t.Helper()
	line, err := w.reader.ReadString('\n')
	if err != nil {
		w.t.Fatalf("%q: %v", line, err)
	}
	return strings.TrimSpace(line)
}
