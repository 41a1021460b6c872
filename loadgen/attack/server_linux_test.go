package attack_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"coalmine/loadgen/pacer"
)

// serverOrder is a server that responds with 13 bytes, after some time or at once, and may stall.
type serverOrder struct {
	Service time.Duration
	// It does not respond from StallAfter its first request on, for Stall.
	StallAfter, Stall time.Duration
}

// served is the server's report: when it did not respond, on the shared clock, and how many
// requests it received.
type served struct {
	StallBegin, StallEnd int64
	Requests             int64
}

// run prints its address, serves until its input ends, and then prints its report.
func (o *serverOrder) run() error {
	clock, err := pacer.NewClock()
	if err != nil {
		return err
	}
	defer clock.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var once sync.Once
	var stall, end time.Time
	var log served
	hello := []byte("Hello, world!")
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			stall = time.Now().Add(o.StallAfter)
			end = stall.Add(o.Stall)
			log.StallBegin = monotonic() + int64(o.StallAfter)
			log.StallEnd = log.StallBegin + int64(o.Stall)
		})
		atomic.AddInt64(&log.Requests, 1)
		until := time.Now().Add(o.Service)
		if until.After(stall) && until.Before(end) {
			until = end
		}
		_ = clock.SleepUntil(r.Context(), until)
		_, _ = w.Write(hello)
	})}
	go func() { _ = server.Serve(l) }()
	if err := tell("http://" + l.Addr().String()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = server.Shutdown(context.Background())
	return tell(&log)
}
