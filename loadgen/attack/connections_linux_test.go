package attack_test

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/loadgen/attack"
)

// TestStaleConnectionsAreDiscarded has a server that closes the connections that came before the first request, or says something
// on them.
func TestStaleConnectionsAreDiscarded(t *testing.T) {
	const stock = 5
	for name, spoil := range map[string]func(net.Conn){
		"closed":  func(c net.Conn) { c.Close() },
		"reset":   func(c net.Conn) { reset(c); c.Close() },
		"talking": func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 408 Too late\r\n\r\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			leakFree(t)
			var accepted, opened atomic.Int32
			var spoilt sync.WaitGroup
			spoilt.Add(stock)
			stocked := make(chan struct{})
			base := listen(t, func(c net.Conn) {
				if accepted.Add(1) > stock {
					answering(whole, nil)(c)
					return
				}
				<-stocked
				spoil(c)
				spoilt.Done()
				hold(c)
			})
			p := newPlan(t, one(100, "GET"), 100*time.Millisecond)
			a := attack.Attack{Plan: p, Targets: at(t, p, base), Connections: stock}
			outcomes, _ := play(t, attack.Observe(a, func(c net.Conn) net.Conn {
				if opened.Add(1) == stock {
					close(stocked)
					spoilt.Wait()
				}
				return c
			}))
			for _, o := range outcomes {
				if o.Status != 200 {
					t.Errorf("%+v", o)
				}
			}
			if len(outcomes) == 0 {
				t.Error("nothing was sent")
			}
		})
	}
}

// TestNoDescriptorIsLeft attacks servers of all kinds and counts what is open then.
func TestNoDescriptorIsLeft(t *testing.T) {
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
	attacks() // opens the poller's
	before := open()
	attacks()
	// The server's connections are closed when it has noticed that the other ends are.
	for deadline := time.Now().Add(10 * time.Second); open() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors are open, %d before", open(), before)
		}
	}
}
