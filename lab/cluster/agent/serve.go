package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"coalmine/lab/cluster/agent/client"
)

// maxBody bounds what shards and the story post: a report of a shard that could not reach the desk for a minute is far below.
const maxBody = 64 << 20

// commandsWait is how long a shard waits for orders. The mesh's proxies and the API server's bear it.
const commandsWait = 20 * time.Second

// Handler serves the desk's own interface: see package client.
func (d *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+client.PathFacts, d.facts)
	mux.HandleFunc("GET "+client.PathReady, func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+client.PathStatus, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, d.Status()) })
	mux.HandleFunc("GET "+client.PathWeight, d.handleWeight)
	mux.HandleFunc("POST "+client.PathStart, handleJSON(func(_ *http.Request, s client.Start) (any, error) {
		return nil, d.traffic.start(s)
	}))
	mux.HandleFunc("POST "+client.PathStop, handleJSON(func(r *http.Request, s client.Stop) (any, error) {
		if err := d.traffic.stop(r.Context(), s); err != nil {
			return nil, err
		}
		return d.Status(), nil
	}))
	mux.HandleFunc("POST "+client.PathReleased, handleJSON(func(_ *http.Request, x client.Release) (any, error) {
		d.traffic.release(x)
		return nil, nil
	}))
	mux.HandleFunc("POST "+client.PathCommands, handleJSON(func(r *http.Request, s client.TrafficPod) (any, error) {
		after, err := strconv.Atoi(r.URL.Query().Get("after"))
		if err != nil {
			return nil, httpErrorf(http.StatusBadRequest, "after is the number of a generation")
		}
		return d.traffic.waitCommands(r.Context(), s, after, commandsWait)
	}))
	mux.HandleFunc("POST "+client.PathReport, handleJSON(func(_ *http.Request, x client.Report) (any, error) {
		return nil, d.traffic.report(x)
	}))
	mux.HandleFunc("POST "+client.PathDrillResult, handleJSON(func(_ *http.Request, x client.DrillResult) (any, error) {
		return nil, d.traffic.takeDrillResult(x)
	}))
	return d.withInstanceHeader(mux)
}

// GateHandler serves what Flagger calls: gates, alert providers, and the recording Prometheus.
func (d *Agent) GateHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+client.PathHooks+"{canary}/{hook}/{gate...}", d.handleWebhook)
	mux.HandleFunc("POST "+client.PathEvents, d.events.serve)
	mux.HandleFunc("POST "+client.PathAlerts+"{provider}", d.handleAlert)
	mux.HandleFunc("POST "+client.PathAlerts+"{provider}/{rest...}", d.handleAlert) // Discord's notifier appends a path
	for _, method := range []string{"GET ", "POST "} {
		mux.HandleFunc(method+client.PathPrometheus+queryPath, d.queries.serve)
		mux.HandleFunc(method+client.PathPrometheus+"/{canary}"+queryPath, d.queries.serve)
	}
	return mux
}

// Status tells how the flight goes.
func (d *Agent) Status() client.Status {
	st := d.traffic.status()
	st.Facts = d.facts.len()
	return st
}

// withInstanceHeader puts the desk's name on every answer.
func (d *Agent) withInstanceHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.InstanceHeader, d.instance)
		next.ServeHTTP(w, r)
	})
}

func (d *Agent) handleWeight(w http.ResponseWriter, r *http.Request) {
	percent, err := d.weights.percent(r.Context(), r.FormValue("service"), r.FormValue("version"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, client.Weight{Percent: percent})
}

// handleJSON reads a value, does something with it and writes what comes of it.
func handleJSON[T any](do func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		lines := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		lines.DisallowUnknownFields()
		if err := lines.Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(r, in)
		var refused *httpError
		switch {
		case errors.As(err, &refused):
			http.Error(w, refused.text, refused.status)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case out != nil:
			writeJSON(w, out)
		}
	}
}

func writeJSON(w http.ResponseWriter, out any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // who has gone needs no answer
}
