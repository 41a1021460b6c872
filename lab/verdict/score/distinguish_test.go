package score

import (
	"testing"

	"coalmine/lab/verdict/timeline"
)

// A check distinguishes a status if it passes while all responses succeed and fails while half of
// them have the status.
func TestDistinguishesStatus(t *testing.T) {
	least, most := func(v float64) timeline.Measured { return timeline.Measured{Min: &v} },
		func(v float64) timeline.Measured { return timeline.Measured{Max: &v} }
	for query, c := range map[string]struct {
		bounds timeline.Measured
		want   [2]bool // of 403, of 500
	}{
		// Policy's own counters.
		`sum(rate(inbound_http_authz_deny_total{deployment="backend",srv_port="8080"}[1m])) or vector(0)`: {most(0.1),
			[2]bool{true, false}},
		`100 * sum(rate(inbound_http_authz_allow_total{deployment="backend"}[1m]))
		 / sum(rate({__name__=~"inbound_http_authz_(allow|deny)_total",deployment="backend"}[1m]))`: {least(99),
			[2]bool{true, false}},
		`sum(rate({__name__=~"inbound_http_authz_.*",deployment="backend"}[1m]))`: {least(1), [2]bool{}},
		`inbound_http_authz_deny_total{deployment="backend-primary"}`:             {most(0), [2]bool{}},
		// The server's responses, which no denied request is among.
		`100 * sum(rate(response_total{deployment="backend",direction="inbound",classification!="failure"}[1m]))
		 / sum(rate(response_total{deployment="backend",direction="inbound"}[1m]))`: {least(99), [2]bool{false, true}},
		`sum(rate(response_total{deployment="backend",direction="inbound"}[1m]))`: {least(1), [2]bool{}},
		// The clients' metrics.
		`100 * sum(rate(response_total{direction="outbound",dst_deployment="backend",status_code!~"[45].."}[1m]))
		 / sum(rate(response_total{direction="outbound",dst_deployment="backend"}[1m]))`: {least(99),
			[2]bool{true, true}},
		`100 * sum(increase(response_total{direction="outbound",dst_deployment="backend",classification="success"}[1m]))
		 / sum(increase(response_total{direction="outbound",dst_deployment="backend"}[1m]))`: {least(99),
			[2]bool{false, true}},
		`sum(rate(outbound_http_route_backend_response_statuses_total{backend_name="backend-canary",
		 http_status!~"2.."}[1m]))`: {most(0), [2]bool{true, true}},
		`outbound_http_route_backend_response_statuses_total{backend_name="backend-primary",http_status=~"2.."}`: {least(1),
			[2]bool{}},
		// What measures nothing, whatever it reads.
		`100 + 0 * sum(inbound_http_authz_allow_total{deployment="backend"})`:                 {least(99), [2]bool{}},
		`clamp_max(sum(rate(inbound_http_authz_deny_total{deployment="backend"}[1m])), 0.01)`: {most(1), [2]bool{}},
		`100 - sum(rate(inbound_http_authz_deny_total{deployment="backend"}[1m])) / 1000`:     {least(99), [2]bool{}},
		`count(inbound_http_authz_deny_total{deployment="backend"})`:                          {least(1), [2]bool{}},
		`count(app_http_requests_total{deployment="backend",version!="v2"})`:                  {least(1), [2]bool{}},
		`vector(1)`:         {least(1), [2]bool{}},
		`time()`:            {least(1), [2]bool{}},
		`this is no query`:  {least(1), [2]bool{}},
		``:                  {least(1), [2]bool{}},
		`{__name__="up"}`:   {least(1), [2]bool{}},
		`rate(x[1m])[1d:1]`: {least(1), [2]bool{}},
	} {
		c.bounds.PromQL = query
		for i, status := range []int{403, 500} {
			if got := distinguishesStatus(c.bounds, "backend", status); got != c.want[i] {
				t.Errorf("%s, %d: %v", query, status, got)
			}
		}
	}
}
