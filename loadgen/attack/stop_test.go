package attack_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// TestStopLetsRequestsEnd stops an attack whose requests get a response within their grace.
func TestStopLetsRequestsEnd(t *testing.T) {
	leakFree(t)
	came, release := make(chan struct{}, 1000), make(chan struct{})
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-release
		echo(w, r)
	})
	p := newPlan(t, shop(200), time.Hour)
	ctx, stop := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	go func() {
		for range 5 {
			<-came
		}
		stop(reason)
		close(release)
	}()
	outcomes, report, err := playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: 5})
	if err != reason {
		t.Errorf("error %v, not the context's cause", err)
	}
	check(t, p, outcomes, report)
	if report.Arrivals != 5 {
		t.Errorf("%d arrivals were sent", report.Arrivals)
	}
	for _, o := range outcomes {
		if status, _, _ := fate(o.Arrival.Seq); int(o.Status) != status || !o.Final {
			t.Errorf("%+v", o)
		}
	}
}

// check checks that every arrival is accounted for, including unsent ones.
func check(t *testing.T, p *loadgen.Plan, outcomes []loadgen.Outcome, report attack.Report) {
	t.Helper()
	total := len(arrivals(p, loadgen.Shard{}))
	if report.Arrivals+report.Unsent != total {
		t.Errorf("%d arrivals were sent and %d not, of %d", report.Arrivals, report.Unsent, total)
	}
	finals := make(map[uint64]int)
	for _, o := range outcomes {
		finals[o.Arrival.Seq] += int(number(o.Final))
	}
	for seq, n := range finals {
		if n != 1 {
			t.Errorf("arrival %d has %d ends", seq, n)
		}
	}
	if len(finals) != report.Arrivals || len(outcomes) != report.Attempts {
		t.Errorf("%d arrivals in %d attempts were delivered, report %+v", len(finals), len(outcomes), report)
	}
}

// TestStopCancelsRequests stops an attack whose requests would never end.
func TestStopCancelsRequests(t *testing.T) {
	leakFree(t)
	came := make(chan struct{}, 1000)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-r.Context().Done()
	})
	for name, grace := range map[string]time.Duration{"grace": time.Millisecond, "no grace": -1} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(t, shop(200), time.Minute)
			ctx, stop := context.WithCancel(t.Context())
			go func() {
				for range 5 {
					<-came
				}
				stop()
			}()
			outcomes, report, err := playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: 5,
				Grace: grace})
			if err != context.Canceled {
				t.Errorf("error %v", err)
			}
			check(t, p, outcomes, report)
			for _, o := range outcomes {
				if o.Failure != loadgen.FailureStopped || o.Status != 0 {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// TestStopAbandonsRetries stops an attack all of whose arrivals wait for a retry.
func TestStopAbandonsRetries(t *testing.T) {
	leakFree(t)
	w := shop(200)
	for i := range w.Cohorts {
		w.Cohorts[i].Retry = &loadgen.Retry{Attempts: 3, Base: time.Hour, Max: time.Hour}
	}
	p := newPlan(t, w, length)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	ctx, stop := context.WithCancel(t.Context())
	n, told := len(arrivals(p, loadgen.Shard{})), 0
	outcomes, report, err := playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base),
		Done: func(o *loadgen.Outcome) {
			if told++; told == n {
				stop()
			}
		}})
	if err != context.Canceled || report.Unsent != 0 || len(outcomes) != 2*n {
		t.Errorf("error %v, %d outcomes of %d arrivals, %+v", err, len(outcomes), n, report)
	}
	check(t, p, outcomes, report)
	for i, o := range outcomes {
		if given := i >= n; o.Final != given || (o.Failure == loadgen.FailureStopped) != given || o.Attempt != i/n {
			t.Errorf("%+v", o)
		}
	}
}

func TestStopBeforeTheStart(t *testing.T) {
	leakFree(t)
	p := newPlan(t, shop(200), length)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	outcomes, report, err := playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, "http://127.0.0.1:1")})
	if err != context.Canceled || len(outcomes) != 0 {
		t.Errorf("error %v, %d outcomes", err, len(outcomes))
	}
	check(t, p, outcomes, report)
}

// TestStopWhileAllWorkersAreBusy has ticks waiting for workers when the stop comes.
func TestStopWhileAllWorkersAreBusy(t *testing.T) {
	leakFree(t)
	came := make(chan struct{}, 10)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-r.Context().Done()
	})
	p := newPlan(t, shop(1000), time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-came
		stop()
	}()
	outcomes, report, _ := playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base), Workers: 1,
		Grace: time.Millisecond})
	check(t, p, outcomes, report)
	if report.Arrivals != 1 {
		t.Errorf("%d arrivals were sent", report.Arrivals)
	}
}

// TestStopCancelsHandshakes has a server that never completes a handshake.
func TestStopCancelsHandshakes(t *testing.T) {
	leakFree(t)
	came := make(chan struct{}, 100)
	base := listen(t, func(c net.Conn) {
		came <- struct{}{}
		hold(c)
	})
	p := newPlan(t, one(400, "GET"), time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-came
		stop()
	}()
	a := attack.Attack{Plan: p, Targets: at(t, p, "https"+base[len("http"):]), Connections: -1,
		Timeout: 24 * time.Hour, Grace: -1}
	outcomes, report, _ := playUntil(ctx, a)
	check(t, p, outcomes, report)
}

// TestStopWhileConnectionsAreOpened stops before the first request.
func TestStopWhileConnectionsAreOpened(t *testing.T) {
	leakFree(t)
	came := make(chan struct{}, 100)
	base := listen(t, func(c net.Conn) {
		came <- struct{}{}
		hold(c)
	})
	p := newPlan(t, one(400, "GET"), time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-came
		stop()
	}()
	a := attack.Attack{Plan: p, Targets: at(t, p, "https"+base[len("http"):]), Connections: 3, Timeout: 24 * time.Hour}
	outcomes, report, err := playUntil(ctx, a)
	if err != context.Canceled || len(outcomes) > 0 {
		t.Errorf("error %v, %d outcomes", err, len(outcomes))
	}
	check(t, p, outcomes, report)
}
