package serve

import (
	"net/http"
)

// operate answers on the paths for operators.
func (s *Server) operate(a *answer, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.w.Header().Set("Allow", "GET, HEAD")
		a.refuse(http.StatusMethodNotAllowed, "this path is asked for by GET, HEAD")
		return
	}
	switch {
	case r.URL.Path == metricsPath:
		a.begun = true
		s.meters.ServeHTTP(a.w, r)
	case r.URL.Path == healthPath:
		a.say(http.StatusOK, "alive")
	case s.stopping.Load():
		a.say(http.StatusServiceUnavailable, "stopping")
	default:
		if left := s.pod.startsIn(); left > 0 {
			a.say(http.StatusServiceUnavailable, "starting up, "+left.String()+" to go")
			return
		}
		a.say(http.StatusOK, "ready")
	}
}

// say answers with a line of text.
func (a *answer) say(status int, text string) {
	a.begun = true
	a.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	a.extend()
	a.w.WriteHeader(status)
	_, _ = a.w.Write([]byte(text + "\n")) // a client that has gone needs no answer
}
