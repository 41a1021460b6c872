package agent_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
)

// get queries the agent's Prometheus as Flagger does (flagger,
// pkg/metrics/providers/prometheus.go).
func (s *servedAgent) get(path, query string) (int, string) {
	s.t.Helper()
	resp, err := http.Get(s.gates + "/prometheus" + path + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func marked(query, metric string) string {
	return strings.NewReplacer("{{ name }}", "checkout-watch", "{{ namespace }}", "develop").Replace(
		workloads.TagQuery(query, metric))
}

func vector(values ...string) string {
	var list []string
	for _, v := range values {
		list = append(list, `{"metric":{},"value":[1,"`+v+`"]}`)
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(list, ",") + `]}}`
}

func ptr(v float64) *float64 { return &v }

// TestQueriesAreRecorded: queries are passed on without the lab's comment, and recorded with the
// bounds of their check.
func TestQueriesAreRecorded(t *testing.T) {
	answer, status := "", http.StatusOK
	var asked []string
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.FormValue("query"))
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer prometheus.Close()
	var now atomic.Int64
	now.Store(time.Unix(1000, 0).UnixNano())
	a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Prometheus: prometheus.URL, Now: func() time.Time {
		return time.Unix(0, now.Load())
	}})
	var want []event.Fact
	for _, c := range []struct {
		path, query string
		status      int
		answer      string
		expected    event.Query
		after       time.Duration
		unrecorded  bool
		seen        string
	}{
		// The template is used by two checks, one after the other in each tick.
		{query: marked("sum(x)", "ratio"), answer: vector("99.5"),
			expected: event.Query{Metric: "success", Value: ptr(99.5), Min: ptr(99)}},
		{query: marked("sum(x)", "ratio"), answer: vector("0.2", "0.5"),
			expected: event.Query{Metric: "errors", Value: ptr(0.5), Max: ptr(1)}, after: time.Second},
		{query: marked("sum(x)", "ratio"), answer: vector("NaN"),
			expected: event.Query{Metric: "success", Min: ptr(99)}, after: 9 * time.Second},
		{path: "/checkout-watch.develop", query: "sum(x)", answer: vector(), expected: event.Query{}},
		{query: marked("sum(", "ratio"), status: 400,
			answer: `{"status":"error","errorType":"bad_data","error":"parse error"}`, seen: "sum(",
			expected: event.Query{Metric: "errors", PromQL: "sum(", Max: ptr(1), Error: "bad_data: parse error"},
			after:    time.Second},
		{query: "vector(1)", answer: vector("1"), unrecorded: true, seen: "vector(1)"},
	} {
		answer, status, asked = c.answer, max(c.status, 200), nil
		now.Add(int64(c.after))
		code, body := a.get(c.path, c.query)
		if code != status || body != c.answer {
			t.Errorf("%q: %d %s", c.query, code, body)
		}
		if c.seen == "" {
			c.seen = "sum(x)"
		}
		if len(asked) != 1 || asked[0] != "/api/v1/query "+c.seen {
			t.Errorf("Prometheus was asked %q", asked)
		}
		if c.unrecorded {
			continue
		}
		c.expected.Asker = "checkout-watch"
		if c.expected.PromQL == "" {
			c.expected.PromQL = "sum(x)"
		}
		want = append(want, c.expected)
	}
	if diff := cmp.Diff(want, a.facts()); diff != "" {
		t.Error(diff)
	}
	if fault := a.Status().Fault; fault != "" {
		t.Error(fault)
	}
}

// TestUnreachablePrometheus: an unreachable Prometheus is a fault of the lab, as no guardrail can
// see anything.
func TestUnreachablePrometheus(t *testing.T) {
	prometheus := httptest.NewServer(http.NotFoundHandler())
	prometheus.Close()
	a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Prometheus: prometheus.URL})
	if status, body := a.get("", marked("sum(x)", "ratio")); status != http.StatusBadGateway {
		t.Errorf("%d %s", status, body)
	}
	if fault := a.Status().Fault; !strings.Contains(fault, "query Prometheus: ") {
		t.Errorf("fault %q", fault)
	}
	if q, ok := a.facts()[0].(event.Query); !ok || q.Error == "" || q.Value != nil {
		t.Errorf("%+v", q)
	}
}

// TestOnlyQueriesArePassedOn: other endpoints are not.
func TestOnlyQueriesArePassedOn(t *testing.T) {
	prometheus := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("it was asked")
	}))
	defer prometheus.Close()
	a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Prometheus: prometheus.URL})
	for _, path := range []string{"/prometheus/api/v1/series", "/prometheus/-/quit", "/prometheus/api/v1/query",
		"/prometheus/a/b/api/v1/query"} {
		resp, err := http.Post(a.gates+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}
