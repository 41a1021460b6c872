package attack_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
	"coalmine/loadgen/traceheader"
)

// Attacks with a start time measure from that time, which has no monotonic clock reading.
func TestStart(t *testing.T) {
	leakFree(t)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(traceheader.WorkloadHeader, "shop=shop-primary")
		echo(w, r)
	})
	p := newPlan(t, shop(20), length)
	begin := time.Now().Add(100 * time.Millisecond)
	outcomes, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Start: time.Unix(0, begin.UnixNano())})
	if off := report.Start.Sub(begin).Abs(); off > time.Millisecond {
		t.Errorf("traffic began %v from when it should have", off)
	}
	if len(outcomes) != len(arrivals(p, loadgen.Shard{})) {
		t.Errorf("%d outcomes", len(outcomes))
	}
	for _, o := range outcomes {
		if o.Workload != "shop-primary" {
			t.Errorf("%+v", o)
		}
	}
}

func TestStartInThePast(t *testing.T) {
	leakFree(t)
	base := serve(t, echo)
	p := newPlan(t, shop(20), length)
	_, report, err := playUntil(t.Context(), attack.Attack{Plan: p, Targets: at(t, p, base),
		Start: time.Now().Add(-time.Second)})
	if !errors.Is(err, attack.ErrLate) || report.Unsent != len(arrivals(p, loadgen.Shard{})) {
		t.Errorf("%v, %+v", err, report)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, stop)
	_, _, err = playUntil(ctx, attack.Attack{Plan: p, Targets: at(t, p, base), Start: time.Now().Add(time.Hour)})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
