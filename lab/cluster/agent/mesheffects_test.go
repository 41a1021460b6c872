package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// proxySeries returns the series of a proxy after n rounds of requests, with the names and labels of
// recorded ones: each round has 100 attempts at the canary, of which 30 get a 503 and are sent again, 4
// exceed the retry timeout and 2 the request's; 5 more requests are sent again because no endpoint came.
func proxySeries(n int) string {
	var b strings.Builder
	backend := func(status, err string, count int) {
		fmt.Fprintf(&b, "outbound_http_route_backend_response_statuses_total{parent_name=\"backend\",backend_namespace="+
			"\"develop\",backend_name=\"backend-canary\",http_status=%q,error=%q} %d\n", status, err, n*count)
	}
	fmt.Fprintln(&b, "# TYPE outbound_http_route_backend_response_statuses counter")
	backend("200", "", 64)
	backend("503", "UNKNOWN", 30)
	backend("", "RESPONSE_HEADERS_TIMEOUT", 4)
	backend("", "REQUEST_TIMEOUT", 2)
	backend("", "FAIL_FAST", 5)
	fmt.Fprintf(&b, "outbound_http_route_retry_requests_total{parent_namespace=\"develop\","+
		"parent_name=\"backend\"} %d\n", n*39)
	fmt.Fprintf(&b, "# TYPE request_total counter\nrequest_total{direction=\"outbound\",dst_namespace=\"develop\","+
		"dst_deployment=\"backend\",dst_service=\"backend-canary\"} %d\n", n*100)
	return b.String()
}

func servingSeries(n int) string {
	return fmt.Sprintf(`request_total{direction="inbound",tls="true"} %d
inbound_http_authz_deny_total{tls="true"} %d
inbound_http_route_not_found_total{tls="true"} %d
inbound_http_local_ratelimit_total{tls="true"} %d
`, n*100, n*3, n*1, n*7)
}

// TestMeshEffectsAreRecorded reads what the mesh did from the series of two proxies: the canary's,
// which serves, and one that calls it.
func TestMeshEffectsAreRecorded(t *testing.T) {
	s := shop(t)
	clients, _ := rollout(t, 10)
	pods := clients.Kube.CoreV1().Pods("develop")
	canary, err := pods.Get(t.Context(), "canary-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	canary.Status.PodIP = "127.0.0.2"
	if _, err := pods.UpdateStatus(t.Context(), canary, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	a := open(t, agent.Config{Scenario: s, Clients: clients,
		Spec: client.RunSpec{Version: "v2", Seed: 1, TrafficPods: map[string]int{"edge": 1}}})
	rounds := 7 // from before
	a.ProxiesAt(proxiesAt(t, func(ip string) string {
		if ip == "127.0.0.2" {
			return servingSeries(rounds)
		}
		return proxySeries(rounds)
	}))
	for _, step := range []struct {
		at   time.Duration
		more int
	}{{40 * time.Second, 0}, {45 * time.Second, 1}, {50 * time.Second, 1}, {time.Minute, 0}} {
		rounds += step.more
		if err := a.CountMesh(t.Context(), step.at); err != nil {
			t.Fatal(err)
		}
	}
	var got []event.Mesh
	for _, f := range a.facts() {
		if m, ok := f.(event.Mesh); ok {
			got = append(got, m)
		}
	}
	from, to := event.Seconds(40*time.Second), event.Seconds(50*time.Second)
	if len(got) != 1 || got[0].From != from || got[0].To != to || !got[0].ByProxies {
		t.Fatalf("%+v", got)
	}
	want := []event.MeshEffect{
		{Service: "backend", Retried: 10},
		{Service: "backend", Workload: "backend", Version: "v2", Attempts: 200, Retried: 68, TimedOut: 12, Limited: 14,
			Denied: 8},
	}
	if diff := cmp.Diff(want, got[0].Cells); diff != "" {
		t.Errorf("the effects differ (-want +got):\n%s", diff)
	}
}
