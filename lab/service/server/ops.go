package server

import (
	"net/http"
)

// serveOps answers on the paths for operators.
func (s *Server) serveOps(a *response, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.w.Header().Set("Allow", "GET, HEAD")
		a.writeError(http.StatusMethodNotAllowed, "this path is asked for by GET, HEAD")
		return
	}
	switch {
	case r.URL.Path == metricsPath:
		a.started = true
		s.metrics.ServeHTTP(a.w, r)
	case r.URL.Path == healthPath:
		a.writeText(http.StatusOK, "alive")
	case s.stopping.Load():
		a.writeText(http.StatusServiceUnavailable, "stopping")
	default:
		if left := s.pod.readyIn(); left > 0 {
			a.writeText(http.StatusServiceUnavailable, "starting up, "+left.String()+" to go")
			return
		}
		a.writeText(http.StatusOK, "ready")
	}
}

// writeText answers with a line of text.
func (a *response) writeText(status int, text string) {
	a.started = true
	a.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	a.extendDeadline()
	a.w.WriteHeader(status)
	_, _ = a.w.Write([]byte(text + "\n")) // a client that has gone needs no answer
}
