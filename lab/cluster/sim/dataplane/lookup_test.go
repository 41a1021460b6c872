package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/mesh"
	"coalmine/loadgen"
)

// Proxies that meet the canary's Service while it has no pods get to know them late: until then the
// canary's share waits for three seconds, and goes to the primary after that.
func TestColdProxiesMeetTheCanaryLate(t *testing.T) {
	s := open(t, func(_ *loadgen.Workload, c *dataplane.Config) { c.ColdProxies = true })
	s.weigh(0)
	s.Advance(100 * time.Second)
	s.canary()
	s.Advance(110 * time.Second)
	s.weigh(20)
	s.Cells()
	s.Advance(114 * time.Second)
	waited := sum(s.Cells())
	s.Advance(117 * time.Second)
	passed := sum(s.Cells())
	if waited.ByMesh < 50 || waited.ByMesh > 400 || passed.Errors != 0 {
		t.Errorf("%+v, then %+v", waited, passed)
	}
	first := time.Duration(0)
	for at := 117 * time.Second; at < 200*time.Second && first == 0; at += time.Second {
		s.Advance(at)
		if sum(only(s.Cells(), onCanary)).N > 0 {
			first = at
		}
	}
	// The look-ups begin at 0, 3.1, 6.3, 9.7, 13.5, 18.1, 24.3, 33.7, 49.5, 78.1, 132.3 s and later by
	// up to a tenth of the pauses between them.
	if first < 132*time.Second || first > 143*time.Second {
		t.Errorf("the canary got its first request at %v", first)
	}
	got := s.series("__name__", "outbound_http_route_request_statuses_total", "error", mesh.ErrorFailFast)
	if got < 50 {
		t.Errorf("%g requests failed fast", got)
	}
}
