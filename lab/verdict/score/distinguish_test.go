package score

import "testing"

// A query tells denied requests from others if it reads a series in which only one of the two
// counts.
func TestTellsStatus(t *testing.T) {
	for query, want := range map[string][2]bool{ // of 403, of 500
		// Policy's own counters.
		`sum(rate(inbound_http_authz_deny_total{deployment="backend",srv_port="8080"}[1m]))`: {true, false},
		`sum(rate(inbound_http_authz_allow_total{deployment="backend"}[1m]))
		 / sum(rate({__name__=~"inbound_http_authz_(allow|deny)_total",deployment="backend"}[1m]))`: {true, false},
		`sum(rate({__name__=~"inbound_http_authz_.*",deployment="backend"}[1m]))`: {},
		`inbound_http_authz_deny_total{deployment="backend-primary"}`:             {},
		// The server's responses, which no denied request is among.
		`sum(rate(response_total{deployment="backend",direction="inbound",classification!="failure"}[1m]))
		 / sum(rate(response_total{deployment="backend",direction="inbound"}[1m]))`: {false, true},
		`sum(rate(response_total{deployment="backend",direction="inbound"}[1m]))`: {},
		// The clients' metrics.
		`sum(rate(response_total{direction="outbound",dst_deployment="backend",status_code!~"4.."}[1m]))`:        {true, false},
		`sum(rate(response_total{direction="outbound",dst_deployment="backend",classification="success"}[1m]))`:  {false, true},
		`outbound_http_route_backend_response_statuses_total{backend_name="backend-canary",http_status=~"2.."}`:  {true, true},
		`outbound_http_route_backend_response_statuses_total{backend_name="backend-primary",http_status=~"2.."}`: {},
		// What measures nothing.
		`count(app_http_requests_total{deployment="backend",version!="v2"})`: {},
		`vector(1)`: {}, `time()`: {}, `this is no query`: {}, ``: {}, `{__name__="up"}`: {},
	} {
		for i, status := range []int{403, 500} {
			if got := distinguishesStatus(query, "backend", status); got != want[i] {
				t.Errorf("%s, %d: %v", query, status, got)
			}
		}
	}
}
