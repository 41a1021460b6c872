package mapping

import (
	"strings"
	"testing"
	"time"
)

func TestQueriesOfOtherMeshesAreTranslated(t *testing.T) {
	success, failure := successQuery(), failureQuery()
	for _, tt := range []struct {
		name, query string
		least       bool
		want        string // "" if the check is left out
	}{
		{"error rate", `100 - sum(rate(istio_requests_total{response_code!~"5.*"}[{{ interval }}]))
			/ sum(rate(istio_requests_total[{{ interval }}])) * 100`, false, failure},
		{"success rate", `sum(rate(envoy_cluster_upstream_rq{envoy_response_code!~"5.*"}[1m]))
			/ sum(rate(envoy_cluster_upstream_rq[1m])) * 100`, true, success},
		{"share", `sum(rate(traefik_service_requests_total{code=~"5.."}[1m]))
			/ sum(rate(traefik_service_requests_total[1m]))`, false, strings.TrimPrefix(failure, "100 * ")},
		{"milliseconds", `histogram_quantile(0.9, sum(rate(istio_request_duration_milliseconds_bucket[1m])) by (le))`,
			false, latencyQuery("0.9", "")},
		{"milliseconds as seconds",
			`histogram_quantile(0.9, sum(rate(istio_request_duration_milliseconds_bucket[1m])) by (le)) / 1000`,
			false, latencyQuery("0.9", " / 1000")},
		{"seconds", `histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket[1m])) by (le))`, false,
			latencyQuery("0.99", " / 1000")},
		{"seconds as milliseconds",
			`histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket[1m])) by (le)) * 1000`, false,
			latencyQuery("0.99", "")},
		{"mean", `sum(rate(nginx_ingress_controller_request_duration_seconds_sum[1m]))
			/ sum(rate(nginx_ingress_controller_request_duration_seconds_count[1m]))`, false, meanQuery(" / 1000")},
		{"requests", `sum(rate(istio_requests_total[1m]))`, true, countQuery("rate", false)},
		{"failures", `sum(increase(istio_requests_total{response_code=~"5.*"}[1m]))`, false, countQuery("increase", true)},
		{"with the primary", `sum(rate(istio_requests_total{app="{{ target }}-primary"}[1m]))`, false, ""},
		{"a gauge", `max(envoy_cluster_membership_healthy)`, true, ""},
		{"the application's", `sum(rate(orders_total{ok="true"}[1m])) / sum(rate(orders_total[1m]))`, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := readQuestion(tt.query)
			if err != nil || q.series == "" {
				t.Fatalf("got %+v, %v; want a series that the lab does not have", q, err)
			}
			got := q.linkerd(tt.query, tt.least)
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if _, err := parseable(got); got != "" && err != nil {
				t.Errorf("the translation is no query: %v", err)
			}
		})
	}
}

func TestKnownAndMisspeltSeriesStay(t *testing.T) {
	for _, query := range []string{`sum(rate(response_total[1m]))`, `sum(rate(reponse_total[1m]))`,
		`sum(rate(response_latency_ms[1m]))`, `vector(1)`} {
		if q, err := readQuestion(query); err != nil || q.series != "" {
			t.Errorf("%s: got %+v, %v", query, q, err)
		}
	}
}

// behindGateway is a Canary for users who come through the gateway of another mesh.
const behindGateway = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: web, namespace: prod}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  service:
    port: 9898
    gatewayRefs: [{name: public, namespace: ingress}]
  analysis:
    interval: 15s
    threshold: 5
    stepWeight: 10
    metrics:
      - {name: errors, interval: 1m, templateRef: {name: errors, namespace: flagger}, thresholdRange: {max: 1}}
      - {name: slow, interval: 1m, templateRef: {name: slow, namespace: flagger}, thresholdRange: {max: 0.5}}
      - {name: orders, interval: 1m, thresholdRange: {min: 1}, query: "sum(rate(orders_total[1m]))"}
      - {name: request-success-rate, interval: 1m, thresholdRange: {min: 99}}
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: flagger}
spec:
  provider: {type: prometheus, address: "http://prometheus.mesh:9090"}
  query: sum(rate(istio_requests_total{response_code=~"5.."}[1m])) / sum(rate(istio_requests_total[1m])) * 100
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: slow, namespace: flagger}
spec:
  provider: {type: prometheus, address: "http://prometheus.mesh:9090"}
  query: histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket[1m])) by (le)) / 1000
`

func slowLab() Lab {
	lab := testLab()
	for i := range 100 {
		lab.Latencies = map[string][]time.Duration{"backend": append(lab.Latencies["backend"],
			time.Duration(i)*20*time.Millisecond)}
	}
	return lab
}

func TestChecksOfAnotherMeshAreAskedOfLinkerdOrLeftOut(t *testing.T) {
	docs := documents(t, behindGateway)
	r := Map(docs, slowLab(), rules(t, "web=backend"))
	var parts []string
	for _, p := range r.LeftOut {
		parts = append(parts, p.What+" "+p.Name)
	}
	got := strings.Join(parts, ", ")
	if want := "mesh behind Gateway public, check orders, query errors, check slow"; got != want {
		t.Errorf("not played as written: %s; want %s", got, want)
	}
	mapped := text(t, docs)
	for _, gone := range []string{"istio_", "name: public", "request-success-rate"} {
		if strings.Contains(mapped, gone) {
			t.Errorf("%s is left:\n%s", gone, mapped)
		}
	}
	warnings := 0
	for _, n := range r.Notes {
		if n.Rule == RuleSeries {
			warnings++
		}
	}
	if warnings != 3 {
		t.Errorf("got %d findings of %s, want those of two templates and a query: %+v", warnings, RuleSeries, r.Notes)
	}
}

// TestCanariesForLinkerdKeepForeignSeries: such a check fails in production, too.
func TestCanariesForLinkerdKeepForeignSeries(t *testing.T) {
	docs := documents(t, strings.Replace(behindGateway, "{name: public, namespace: ingress}",
		"{group: core, kind: Service, name: web, namespace: prod, port: 9898}", 1))
	r := Map(docs, testLab(), rules(t, "web=backend"))
	if mapped := text(t, docs); !strings.Contains(mapped, "istio_requests_total") {
		t.Errorf("the query was changed:\n%s", mapped)
	}
	if len(r.LeftOut) != 1 || r.LeftOut[0].Name != "orders" {
		t.Errorf("not played as written: %+v; want the check of what the lab's services do not count", r.LeftOut)
	}
}

func TestAdoptedBoundsFitTheService(t *testing.T) {
	docs := documents(t, behindGateway)
	lab := slowLab()
	lab.Translate, lab.Prometheus = true, "http://prometheus.linkerd-viz:9090"
	r := Map(docs, lab, rules(t, "web=backend"))
	if mapped := text(t, docs); !strings.Contains(mapped, "{max: 4}") || strings.Contains(mapped, "orders") {
		t.Errorf("got\n%s\nwant a bound of twice the normal 1.98 s, and no check of orders", mapped)
	}
	if len(r.LeftOut) != 0 {
		t.Errorf("left out %+v, want edits in their place", r.LeftOut)
	}
}
