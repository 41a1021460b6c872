package serve

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"coalmine/lab/app"
	"coalmine/loadgen/mark"
)

// drill answers a probe of a drill: who would serve is all that it asks. One for another service is handed on, as a call of this
// service's own.
func (s *Server) drill(a *answer, r *http.Request) {
	if left := s.pod.startsIn(); left > 0 || s.stopping.Load() {
		a.refuse(http.StatusServiceUnavailable, "the service is not ready")
		return
	}
	if to := r.Header.Get(mark.DrillToHeader); to != "" && to != s.cfg.Service {
		s.handOn(a, r, to)
		return
	}
	s.confirm(a, http.StatusOK, s.paper.served)
}

func (s *Server) confirm(a *answer, status int, served string) {
	b := []byte(s.paper.opening + "}\n")
	a.write(status, served, b, len(b))
}

// handOn asks another service, and answers what it answers.
func (s *Server) handOn(a *answer, r *http.Request, to string) {
	base := s.calls.to[to]
	if base == nil || depthOf(r)+1 >= maxDepth {
		a.refuse(http.StatusBadGateway, "this service does not call "+to)
		return
	}
	h := http.Header{
		depthHeader:        {strconv.Itoa(depthOf(r) + 1)},
		mark.DrillHeader:   {r.Header.Get(mark.DrillHeader)},
		mark.DrillToHeader: {to},
		"User-Agent":       {""},
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/"}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: base.Host, Header: h}
	resp, err := s.calls.transport.RoundTrip(req.WithContext(r.Context()))
	if err != nil {
		a.refuse(http.StatusBadGateway, to+" does not answer: "+reason(err))
		return
	}
	defer resp.Body.Close() // it says nothing
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, app.MaxSize))
	a.behind = strings.Join(resp.Header[mark.WorkloadHeader], ", ")
	s.confirm(a, resp.StatusCode, s.paper.served+joined(resp.Header[mark.ServedHeader]))
}

// joined is a list of header lines as it goes on another one.
func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ", " + strings.Join(lines, ", ")
}
