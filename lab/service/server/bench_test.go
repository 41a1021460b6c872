package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen/traceheader"
)

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHandler measures one request without a connection and without waiting.
func BenchmarkHandler(b *testing.B) {
	s, err := server.New(config(b, "shop", constant(time.Millisecond), newInstantClock(b)))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := httptest.NewRequest("GET", "/items/42", nil)
	r.Header.Set("Cookie", "session=s17; tier=premium")
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		r.Header[traceheader.RequestHeader] = []string{traceheader.Request{Seq: i, User: 17, Seed: 1,
			Cohort: "premium"}.String()}
		s.ServeHTTP(blank{http.Header{}}, r)
	}
}

// blank discards a response.
type blank struct{ header http.Header }

func (w blank) Header() http.Header            { return w.header }
func (blank) Write(b []byte) (int, error)      { return len(b), nil }
func (blank) WriteHeader(int)                  {}
func (blank) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkLoopback sends requests over 64 connections as fast as they are answered, 5 ms of work
// each: to one service, and to one that calls another. The client is in the same process and takes
// about 5 µs of CPU time.
func BenchmarkLoopback(b *testing.B) {
	for _, chain := range []bool{false, true} {
		b.Run(map[bool]string{false: "one", true: "chain"}[chain], func(b *testing.B) {
			clock, err := server.NewClock()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { clock.Close() })
			behaviour := constant(5 * time.Millisecond)
			x := start(b, config(b, "backend", behaviour, clock))
			if chain {
				behaviour.Routes = map[string]service.RouteBehaviour{"": {Calls: "backend"}}
				c := config(b, "frontend", behaviour, clock)
				c.Upstreams = map[string]*url.URL{"backend": x.base()}
				x = start(b, c)
			}
			flood(b, x, 64)
		})
	}
}

// flood sends requests over a number of connections.
func flood(b *testing.B, x *testService, connections int) {
	var group sync.WaitGroup
	before := cpuTime(b)
	b.ResetTimer()
	for i := range connections {
		n := b.N / connections
		if i < b.N%connections {
			n++
		}
		w := dial(b, x)
		group.Go(func() { w.repeat(n, uint64(i)) })
	}
	group.Wait()
	used := cpuTime(b) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/used.Seconds(), "requests/cpu-s")
}

func (w *wire) repeat(n int, seq uint64) {
	request := fmt.Sprintf("GET /items/42 HTTP/1.1\r\nHost: x\r\nCookie: session=s17; tier=premium\r\n%s: %s\r\n\r\n",
		traceheader.RequestHeader, traceheader.Request{Seq: seq, User: 17, Seed: 1, Cohort: "premium"})
	w.reader = bufio.NewReaderSize(w.Conn, 4096)
	for range n {
		if _, err := io.WriteString(w.Conn, request); err != nil {
			w.t.Error(err)
			return
		}
		if err := w.skip(); err != nil {
			w.t.Error(err)
			return
		}
	}
}

// skip reads a response of the default size.
func (w *wire) skip() error {
	for {
		line, err := w.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			_, err := w.reader.Discard(service.DefaultSize)
			return err
		}
	}
}
