package attack_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// TestStaleConnectionsAreDiscarded has a server that closes the connections opened before the first
// request, or sends data on them.
func TestStaleConnectionsAreDiscarded(t *testing.T) {
	example := httptest.NewTLSServer(nil)
	example.Close()
	trust := example.Client().Transport.(*http.Transport).TLSClientConfig
	for name, test := range map[string]struct {
		secure bool
		stock  int
		spoil  func(net.Conn)
	}{
		"closed":        {false, 5, func(c net.Conn) { c.Close() }},
		"reset":         {false, 5, func(c net.Conn) { reset(c); c.Close() }},
		"talking":       {false, 5, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 408 Too late\r\n\r\n")) }},
		"secure closed": {true, 5, func(c net.Conn) { c.Close() }},
		// One worker needs one connection, however slow the machine is.
		"secure": {true, 1, func(net.Conn) {}},
	} {
		t.Run(name, func(t *testing.T) {
			leakFree(t)
			var accepted atomic.Int32
			var spoilt sync.WaitGroup
			spoilt.Add(test.stock)
			stocked := make(chan struct{})
			base := listen(t, func(c net.Conn) {
				early := int(accepted.Add(1)) <= test.stock
				if test.secure {
					secure := tls.Server(c, example.TLS)
					_ = secure.Handshake() // sends session tickets too
					c = secure
				}
				if early {
					<-stocked
					test.spoil(c)
					spoilt.Done()
				}
				answering(whole, nil)(c)
			})
			if test.secure {
				base = "https" + base[len("http"):]
			}
			p := newPlan(t, one(100, "GET"), 100*time.Millisecond)
			var outcomes []loadgen.Outcome
			a := attack.Attack{Plan: p, Targets: at(t, p, base), TLS: trust,
				Connections: test.stock, Workers: test.stock,
				Done: func(o *loadgen.Outcome) { outcomes = append(outcomes, *o) }}
			if _, err := attack.RunStocked(t.Context(), a, func() { close(stocked); spoilt.Wait() }); err != nil {
				t.Fatal(err)
			}
			for _, o := range outcomes {
				if o.Status != 200 {
					t.Errorf("%+v", o)
				}
			}
			if n := int(accepted.Load()); len(outcomes) == 0 || (n > test.stock) != (name != "secure") {
				t.Errorf("%d requests on %d connections", len(outcomes), n)
			}
		})
	}
}

// TestNoDescriptorLeaks attacks servers of all kinds and counts the open descriptors.
func TestNoDescriptorLeaks(t *testing.T) {
	attacks := func() {
		s := httptest.NewServer(nil)
		defer s.Close()
		w := shop(100)
		w.Cohorts[0].Bandwidth = 1e6
		p := newPlan(t, w, 50*time.Millisecond)
		for _, base := range []string{s.URL, "http://127.0.0.1:1", "https" + s.URL[len("http"):]} {
			play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Connections: 9})
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_, _, _ = playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base), Connections: 9})
			stop()
		}
	}
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	// Descriptors closed by the garbage collector would hide a leak.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	attacks() // opens the poller's descriptors
	before := open()
	attacks()
	// The server closes its connections only after it has noticed that they were closed.
	for deadline := time.Now().Add(10 * time.Second); open() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, %d before", open(), before)
		}
	}
}
