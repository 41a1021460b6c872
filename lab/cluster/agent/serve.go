package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"coalmine/lab/cluster/agent/client"
)

// maxBody bounds requests, in bytes. The report of a traffic pod that could not reach the agent for
// a minute is far smaller.
const maxBody = 64 << 20

// commandsWait is how long a request for commands waits for new ones. Neither the mesh's proxies
// nor the API server's time out before.
const commandsWait = 20 * time.Second

// Handler serves the agent's own API: see package client.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+client.PathFacts, a.facts)
	mux.HandleFunc("GET "+client.PathReady, func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+client.PathStatus, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.Status()) })
	mux.HandleFunc("GET "+client.PathWeight, a.handleWeight)
	mux.HandleFunc("POST "+client.PathStart, handleJSON(func(_ *http.Request, s client.Start) (any, error) {
		return nil, a.traffic.start(s)
	}))
	mux.HandleFunc("POST "+client.PathStop, handleJSON(func(r *http.Request, s client.Stop) (any, error) {
		if err := a.traffic.stop(r.Context(), s); err != nil {
			return nil, err
		}
		return a.Status(), nil
	}))
	mux.HandleFunc("POST "+client.PathReleased, handleJSON(func(_ *http.Request, x client.Release) (any, error) {
		a.traffic.release(x)
		return nil, nil
	}))
	mux.HandleFunc("POST "+client.PathCommands, handleJSON(func(r *http.Request, s client.TrafficPod) (any, error) {
		after, err := strconv.Atoi(r.URL.Query().Get("after"))
		if err != nil {
			return nil, httpErrorf(http.StatusBadRequest, "after is not the number of a generation")
		}
		return a.traffic.waitCommands(r.Context(), s, after, commandsWait)
	}))
	mux.HandleFunc("POST "+client.PathReport, handleJSON(func(_ *http.Request, x client.Report) (any, error) {
		return nil, a.traffic.report(x)
	}))
	mux.HandleFunc("POST "+client.PathDrillResult, handleJSON(func(_ *http.Request, x client.DrillResult) (any, error) {
		return nil, a.traffic.takeDrillResult(x)
	}))
	return a.withInstanceHeader(mux)
}

// GateHandler serves what Flagger calls: gates, alert providers, the event webhook and the
// recording Prometheus.
func (a *Agent) GateHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+client.PathHooks+"{canary}/{hook}/{gate...}", a.handleWebhook)
	mux.HandleFunc("POST "+client.PathEvents, a.events.serve)
	mux.HandleFunc("POST "+client.PathAlerts+"{provider}", a.handleAlert)
	mux.HandleFunc("POST "+client.PathAlerts+"{provider}/{rest...}", a.handleAlert) // Discord's notifier appends a path
	for _, method := range []string{"GET ", "POST "} {
		mux.HandleFunc(method+client.PathPrometheus+queryPath, a.queries.serve)
		mux.HandleFunc(method+client.PathPrometheus+"/{canary}"+queryPath, a.queries.serve)
	}
	return mux
}

// Status returns the progress of the run.
func (a *Agent) Status() client.Status {
	st := a.traffic.status()
	st.Facts = a.facts.len()
	return st
}

// withInstanceHeader puts the agent's instance ID on every response.
func (a *Agent) withInstanceHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.InstanceHeader, a.instance)
		next.ServeHTTP(w, r)
	})
}

func (a *Agent) handleWeight(w http.ResponseWriter, r *http.Request) {
	percent, err := a.weights.percent(r.Context(), r.FormValue("service"), r.FormValue("version"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, client.Weight{Percent: percent})
}

// handleJSON decodes the request, calls do and encodes its result.
func handleJSON[T any](do func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
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
	_ = json.NewEncoder(w).Encode(out) // the client is gone if that fails
}
