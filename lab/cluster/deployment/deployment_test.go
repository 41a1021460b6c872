package deployment_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/deployment"
	"coalmine/lab/input"
	"coalmine/lab/scenario"
	"coalmine/lab/service/server"
	"coalmine/scenarios"
)

func load(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	folder, err := scenario.Open(scenarios.Library(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	s, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func options() deployment.Options {
	return deployment.Options{Listen: "127.0.0.1:0", Seed: 1, Weight: 100, Drain: time.Second}
}

func TestFindVersion(t *testing.T) {
	s := load(t, "hidden-segment")
	for text, want := range map[string]string{
		"": "v1", "v2": "v2", "faulty": "v2", "healthy": "v3", "baseline": "v1", "v2-faulty": "v2", "v1-baseline": "v1",
	} {
		if got, err := deployment.FindVersion(s, s.Released(), text); err != nil || got != want {
			t.Errorf("version %q is %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"v9":         `backend has no version "v9"`,
		"v2-healthy": `version "v2-healthy": v2 is not the healthy version, which is v3`,
		"v9-faulty":  `backend has no version "v9-faulty"`,
	} {
		_, err := deployment.FindVersion(s, s.Released(), text)
		var input *input.Error
		if !errors.As(err, &input) || input.Err.Error() != want || !strings.Contains(input.Hint, "v2 (faulty)") {
			t.Errorf("version %q: error %v, want %q", text, err, want)
		}
	}
}

func TestNewRejects(t *testing.T) {
	s := load(t, "hidden-segment")
	for want, change := range map[string]func(*deployment.Options){
		`has no service "db"`:         func(o *deployment.Options) { o.Service = "db" },
		"is not a service with a URL": func(o *deployment.Options) { o.Upstreams = []string{"backend"} },
		"already runs it here": func(o *deployment.Options) {
			o.Service, o.Upstreams = "backend", []string{"backend=http://x"}
		},
		"nothing left to run": func(o *deployment.Options) {
			o.Upstreams = []string{"backend=http://x", "frontend=http://x"}
		},
		"apply to backend, which": func(o *deployment.Options) {
			o.Version, o.Upstreams = "v2", []string{"backend=http://x"}
		},
		`there is no route "chekout"`: func(o *deployment.Options) { o.Faults = []string{"chekout:status=500"} },
		`there is no cohort "gold"`: func(o *deployment.Options) {
			o.Faults = []string{"checkout:status=500,cohort=gold"}
		},
		"already has a fault \"twice\"": func(o *deployment.Options) {
			o.Faults = []string{"*:status=500,name=twice", "*:status=501,name=twice"}
		},
	} {
		o := options()
		change(&o)
		if _, err := deployment.New(s, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := options().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*deployment.Options){
		"weight is 0":     func(o *deployment.Options) { o.Weight = 0 },
		"linger is -1s":   func(o *deployment.Options) { o.Linger = -time.Second },
		"drain is 0s":     func(o *deployment.Options) { o.Drain = 0 },
		"number up to 2^": func(o *deployment.Options) { o.Seed = 1 << 60 },
	} {
		o := options()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// startingClock stands still for those who wait for services to be ready, until started is closed.
type startingClock struct {
	server.RealClock
	started chan struct{}
}

const startup = time.Hour // longer than any service takes

func (c startingClock) Now() time.Time {
	select {
	case <-c.started:
		return c.RealClock.Now().Add(startup)
	default:
		return c.RealClock.Now()
	}
}

func (c startingClock) SleepUntil(ctx context.Context, _ time.Time) error {
	select {
	case <-c.started:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TestServe starts both services, whose first one is reachable when all are ready, sends a request
// through them, and stops them.
func TestServe(t *testing.T) {
	o := options()
	o.Version, o.Metrics = "v2", "127.0.0.1:0"
	config, err := deployment.New(load(t, "hidden-segment"), o)
	if err != nil {
		t.Fatal(err)
	}
	real, err := server.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	clock := startingClock{real, make(chan struct{})}
	group, err := config.Listen(clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	if err := group.WriteAddresses(&list); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(list.String(), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], "v2 (faulty)") || !strings.HasPrefix(lines[2], "metrics") {
		t.Fatalf("services:\n%s", list.String())
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	messages, said := io.Pipe()
	go func() { served <- group.Serve(ctx, said) }()
	scan := bufio.NewScanner(messages)
	url := strings.Fields(lines[0])[len(strings.Fields(lines[0]))-1]
	if scan.Scan(); !strings.HasPrefix(scan.Text(), "Starting up") {
		t.Errorf("message %q", scan.Text())
	}
	for closed := false; !closed; { // the listener closes at about the time of the message
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if closed = err != nil; !closed {
			conn.Close()
		}
	}
	close(clock.started)
	if scan.Scan(); !strings.HasPrefix(scan.Text(), "Ready") {
		t.Errorf("message %q", scan.Text())
	}
	resp, err := http.Get(url + "/api/items")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestListenRejectsAnAddress(t *testing.T) {
	o := options()
	o.Listen = "nonsense"
	config, err := deployment.New(load(t, "full-rollout"), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Listen(nil, nil)
	var input *input.Error
	if !errors.As(err, &input) || !strings.Contains(input.Error(), `cannot listen on "nonsense"`) {
		t.Errorf("error %v", err)
	}
}
