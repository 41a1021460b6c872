package attack_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"coalmine/loadgen/pace"
)

// serverOrder is a server that answers 13 bytes, after some time or at once, and may stall.
type serverOrder struct {
	Service time.Duration
	// It answers nothing from StallAfter its first request on, for Stall.
	StallAfter, Stall time.Duration
}

// stalled is when a server did not answer, on the clock that all processes share.
type stalled struct{ Begin, End int64 }

// run tells its address, serves until its input ends, and then tells when it stalled.
func (o *serverOrder) run() error {
	clock, err := pace.NewClock()
	if err != nil {
		return err
	}
	defer clock.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var once sync.Once
	var first time.Time
	var log stalled
	hello := []byte("Hello, world!")
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			first = time.Now()
			log.Begin = monotonic() + int64(o.StallAfter)
			log.End = log.Begin + int64(o.Stall)
		})
		until := time.Now().Add(o.Service)
		if begin := first.Add(o.StallAfter); o.Stall > 0 && until.After(begin) && until.Before(begin.Add(o.Stall)) {
			until = begin.Add(o.Stall)
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
	return tell(log)
}
