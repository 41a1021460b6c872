package server

import (
	"net/http"
)

// serveOps serves metrics and health checks.
func (s *Server) serveOps(resp *response, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		resp.w.Header().Set("Allow", "GET, HEAD")
		resp.writeError(http.StatusMethodNotAllowed, "this path allows GET, HEAD")
		return
	}
	switch {
	case r.URL.Path == metricsPath:
		resp.started = true
		s.metrics.ServeHTTP(resp.w, r)
	case r.URL.Path == healthPath:
		resp.writeText(http.StatusOK, "alive")
	case s.stopping.Load():
		resp.writeText(http.StatusServiceUnavailable, "stopping")
	default:
		if left := s.pod.readyIn(); left > 0 {
			resp.writeText(http.StatusServiceUnavailable, "starting up, ready in "+left.String())
			return
		}
		resp.writeText(http.StatusOK, "ready")
	}
}

// writeText writes a response of one line of text.
func (resp *response) writeText(status int, text string) {
	resp.started = true
	resp.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	resp.extendDeadline()
	resp.w.WriteHeader(status)
	_, _ = resp.w.Write([]byte(text + "\n")) // the client may be gone
}
