package prom

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// QueryResult is the result of a query over HTTP.
type QueryResult struct {
	PromQL string
	// Value is that of the last sample, or nil if there is none or it is not a number. Flagger uses
	// the last sample of several (flagger, pkg/metrics/providers/prometheus.go).
	Value *float64
	Err   error
}

// RoundTripper serves the instant-query endpoint of Prometheus' HTTP API (/api/v1/query) at the
// time returned by now, and calls observe with each request and its result.
func (db *DB) RoundTripper(now func() time.Time, observe func(*http.Request, QueryResult)) http.RoundTripper {
	return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/api/v1/query") {
			return response(r, http.StatusNotFound, `{"status":"error","error":"only /api/v1/query is served"}`), nil
		}
		q := r.URL.Query().Get("query")
		v, err := db.Query(r.Context(), q, now())
		a := QueryResult{PromQL: q, Err: err}
		if n := len(v); n > 0 && !math.IsNaN(v[n-1].F) {
			a.Value = &v[n-1].F
		}
		observe(r, a)
		if err != nil {
			body, _ := json.Marshal(map[string]string{"status": "error", "errorType": "execution",
				"error": err.Error()})
			return response(r, http.StatusUnprocessableEntity, string(body)), nil
		}
		return response(r, http.StatusOK, encodeVector(v)), nil
	})
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// encodeVector encodes a vector like Prometheus' HTTP API.
func encodeVector(v promql.Vector) string {
	type sample struct {
		Metric map[string]string `json:"metric"`
		Value  [2]any            `json:"value"`
	}
	result := make([]sample, 0, len(v))
	for _, s := range v {
		result = append(result, sample{s.Metric.Map(),
			[2]any{float64(s.T) / 1000, strconv.FormatFloat(s.F, 'f', -1, 64)}})
	}
	b, err := json.Marshal(map[string]any{"status": "success",
		"data": map[string]any{"resultType": "vector", "result": result}})
	if err != nil {
		return fmt.Sprintf(`{"status":"error","error":%q}`, err)
	}
	return string(b)
}

func response(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}
}
