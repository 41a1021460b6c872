package attack_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// later returns a workload whose first arrivals come after a while.
func later(rate float64) loadgen.Workload {
	w := one(1, "GET")
	w.Rate = loadgen.Curve{Steps: []loadgen.Step{{At: 50 * time.Millisecond, Rate: rate}}}
	return w
}

// counted counts the connections of a server, and those that completed a handshake.
func counted(t *testing.T, secure bool, h http.HandlerFunc) (s *httptest.Server, opened *atomic.Int32) {
	t.Helper()
	opened = new(atomic.Int32)
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, opened
}

func TestConnectionsAreOpenBeforeTheFirstRequest(t *testing.T) {
	leakFree(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint(secure), func(t *testing.T) {
			var requests, early atomic.Int32
			var opened *atomic.Int32
			s, opened := counted(t, secure, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 {
					early.Store(opened.Load())
				}
			})
			trust := s.Client().Transport.(*http.Transport).TLSClientConfig
			p := newPlan(t, later(100), 150*time.Millisecond)
			outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), TLS: trust, Connections: 12})
			if n := early.Load(); n != 12 {
				t.Errorf("%d connections were open at the first request", n)
			}
			if opened.Load() != 12 || int(requests.Load()) != len(outcomes) {
				t.Errorf("%d connections for %d requests, %d planned", opened.Load(), requests.Load(), len(outcomes))
			}
		})
	}
}

// TestHostsShareTheConnections has two hosts, one of which refuses connections.
func TestHostsShareTheConnections(t *testing.T) {
	leakFree(t)
	s, opened := counted(t, false, func(http.ResponseWriter, *http.Request) {})
	w := later(100)
	w.Routes = append(w.Routes, loadgen.Route{Name: "other", Path: "/"})
	w.Cohorts[0].Mix["other"] = 1
	p := newPlan(t, w, 100*time.Millisecond)
	targets := at(t, p, s.URL)
	targets[1] = at(t, p, "http://127.0.0.1:1")[0]
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: targets, Connections: 7})
	if n := opened.Load(); n != 4 {
		t.Errorf("%d connections were opened to the first of two hosts", n)
	}
	for _, o := range outcomes {
		if want := []string{"", loadgen.FailureRefused}[o.Arrival.Route]; o.Failure != want {
			t.Errorf("%+v", o)
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	leakFree(t)
	s, opened := counted(t, false, echo)
	p := newPlan(t, shop(200), length)
	_, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), Workers: 4, Connections: -1})
	// net/http may dial for a request that is then served by a connection that has become idle.
	if n := int(opened.Load()); n > 8 || report.Peak > 4 {
		t.Errorf("%d connections, %d requests at once, of 4 workers", n, report.Peak)
	}
}

func TestSlowClientsReadSlowly(t *testing.T) {
	leakFree(t)
	const size, bandwidth = 4000, 40_000
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", size)) })
	w := shop(40)
	w.Cohorts[1].Bandwidth = bandwidth
	p := newPlan(t, w, length)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base)})
	slow := 0
	for _, o := range outcomes {
		if o.BytesIn != size || o.Status != 200 {
			t.Errorf("%+v", o)
		}
		if o.Arrival.Cohort == 1 {
			slow++
			if o.Latency < time.Second*size/bandwidth {
				t.Errorf("a slow client read %d bytes in %v", o.BytesIn, o.Latency)
			}
		}
	}
	if slow == 0 {
		t.Error("there was no slow client")
	}
}

// TestSlowClientsTimeOut has responses that take longer than the timeout at the client's rate.
func TestSlowClientsTimeOut(t *testing.T) {
	leakFree(t)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 4000)) })
	w := one(100, "GET")
	w.Cohorts[0].Bandwidth = 1000
	p := newPlan(t, w, 50*time.Millisecond)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Timeout: 100 * time.Millisecond})
	for _, o := range outcomes {
		if o.Failure != loadgen.FailureTimeout || o.Status != 0 || o.BytesIn == 0 || o.BytesIn >= 4000 {
			t.Errorf("%+v", o)
		}
	}
}

// Connections that were unused for too long are replaced when they are needed. Nothing fails.
func TestUnusedConnectionsAreReplaced(t *testing.T) {
	leakFree(t)
	var mu sync.Mutex
	accepted, late := map[net.Conn]time.Time{}, 0
	const maxUnused = 100 * time.Millisecond
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(30 * time.Millisecond) // so that several connections are needed at a time
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case state == http.StateNew:
			accepted[c] = time.Now()
		case state == http.StateActive && time.Since(accepted[c]) > 7*maxUnused && !accepted[c].IsZero():
			late++
		}
		if state == http.StateActive {
			accepted[c] = time.Time{} // only the first request counts
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	w := one(1, "GET")
	w.Rate = loadgen.Curve{Steps: []loadgen.Step{{At: 0, Rate: 10}, {At: time.Second, Rate: 500}}}
	p := newPlan(t, w, 1500*time.Millisecond)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), Connections: 20, MaxUnused: maxUnused})
	for _, o := range outcomes {
		if o.Status != http.StatusOK {
			t.Fatalf("a request failed: %+v", o)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if late > 0 || len(accepted) <= 20 {
		t.Errorf("%d of %d connections had their first request too late", late, len(accepted))
	}
}
