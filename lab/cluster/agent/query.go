package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/workloads"
)

// queries is a proxy between Flagger and Prometheus that records queries and answers.
type queries struct {
	agent  *Agent
	base   string
	client *http.Client

	mu    sync.Mutex
	ticks map[string]tick // by canary and metric
}

// tick counts the queries of one of Flagger's analysis ticks.
type tick struct {
	start time.Time
	n     int
}

// Flagger cancels a query after five seconds (flagger, pkg/metrics/providers/prometheus.go). The
// agent gives up before, to record that Prometheus hangs.
const (
	queryTimeout = 4 * time.Second
	maxQuery     = 64 << 10
	maxResult    = 16 << 20
	queryPath    = "/api/v1/query"
)

// serve answers a query as Prometheus does. Other endpoints are not found: no Canary can need them.
func (q *queries) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxQuery)
	text := r.FormValue("query")
	if text == "" || len(text) > maxQuery {
		http.Error(w, "the parameter query is missing or too long", http.StatusBadRequest)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, client.PathPrometheus)
	asked := workloads.ParseQuery(text, path)
	at := q.agent.now()
	status, body, err := q.query(r, asked.PromQL)
	if asked.PromQL != workloads.OnlineQuery && r.Context().Err() == nil {
		q.record(at, asked, body, err)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // Flagger repeats a query that it gave up
}

// query sends the query to Prometheus, with the other parameters of the request.
func (q *queries) query(r *http.Request, promQL string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	values := url.Values{"query": {promQL}}
	for _, name := range []string{"time", "timeout"} {
		if v := r.FormValue(name); v != "" {
			values.Set(name, v)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.base+queryPath, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := q.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("query Prometheus: %w", err)
	}
	defer resp.Body.Close() // everything of interest was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResult))
	if err != nil {
		return 0, nil, fmt.Errorf("read the response of Prometheus: %w", err)
	}
	return resp.StatusCode, body, nil
}

// record records a query and its answer. A Prometheus that does not answer is a fault of the lab,
// as no guardrail could see anything through it.
func (q *queries) record(at time.Time, asked workloads.Query, body []byte, err error) {
	name := q.agent.canaryName(asked.Canary)
	canary := q.agent.canary(name)
	fact := asked.Fact(name, workloads.FindCheck(canary, asked.Metric, q.repeated(at, asked, canary)))
	if err == nil {
		fact.Value, err = readAnswer(body)
	} else {
		q.agent.fault(err.Error())
	}
	if err != nil {
		fact.Error = err.Error()
	}
	q.agent.record(q.agent.now(), fact)
}

// repeated returns how often a canary has already queried a metric in this tick. Flagger queries
// all metrics of a tick in sequence, and ticks are an analysis interval apart.
func (q *queries) repeated(at time.Time, asked workloads.Query, canary *flaggerv1.Canary) int {
	const leastInterval = 10 * time.Second // Flagger's own minimum
	interval := leastInterval
	if canary != nil && canary.GetAnalysis() != nil {
		interval = max(interval, canary.GetAnalysisInterval())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	key := asked.Canary + " " + asked.Metric
	r, ok := q.ticks[key]
	if !ok || at.Sub(r.start) > interval/2 {
		r = tick{start: at}
	}
	r.n++
	q.ticks[key] = r
	return r.n - 1
}

// readAnswer returns the value that Flagger uses: the last sample's, nil for none and for NaN
// (flagger, pkg/metrics/providers/prometheus.go).
func readAnswer(body []byte) (*float64, error) {
	var answer struct {
		Status, ErrorType, Error string
		Data                     struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("response of Prometheus: invalid JSON: %w", err)
	}
	if answer.Status != "success" {
		return nil, errors.New(strings.TrimSpace(answer.ErrorType + ": " + answer.Error))
	}
	if answer.Data.ResultType != "vector" {
		return nil, nil // Flagger reads vectors only
	}
	var samples []struct{ Value []any }
	if err := json.Unmarshal(answer.Data.Result, &samples); err != nil {
		return nil, fmt.Errorf("response of Prometheus: invalid vector: %w", err)
	}
	var last *float64
	for _, s := range samples {
		if len(s.Value) < 2 {
			continue
		}
		text, ok := s.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if ok && err == nil {
			last = &v
		}
	}
	if last == nil || math.IsNaN(*last) {
		return nil, nil
	}
	return last, nil
}
