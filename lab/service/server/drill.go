package server

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"coalmine/lab/service"
	"coalmine/loadgen/traceheader"
)

// serveDrill answers a probe of a drill: who would serve is all that it asks. One for another service is handed on, as a call of this
// service's own.
func (s *Server) serveDrill(a *response, r *http.Request) {
	if left := s.pod.readyIn(); left > 0 || s.stopping.Load() {
		a.writeError(http.StatusServiceUnavailable, "the service is not ready")
		return
	}
	if to := r.Header.Get(traceheader.DrillToHeader); to != "" && to != s.cfg.Service {
		s.forwardDrill(a, r, to)
		return
	}
	s.writeDrill(a, http.StatusOK, s.template.served)
}

func (s *Server) writeDrill(a *response, status int, served string) {
	b := []byte(s.template.prefix + "}\n")
	a.write(status, served, b, len(b))
}

// forwardDrill asks another service, and answers what it answers.
func (s *Server) forwardDrill(a *response, r *http.Request, to string) {
	base := s.calls.to[to]
	if base == nil || callDepth(r)+1 >= maxDepth {
		a.writeError(http.StatusBadGateway, "this service does not call "+to)
		return
	}
	h := http.Header{
		depthHeader:               {strconv.Itoa(callDepth(r) + 1)},
		traceheader.DrillHeader:   {r.Header.Get(traceheader.DrillHeader)},
		traceheader.DrillToHeader: {to},
		"User-Agent":              {""},
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/"}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: base.Host, Header: h}
	resp, err := s.calls.transport.RoundTrip(req.WithContext(r.Context()))
	if err != nil {
		a.writeError(http.StatusBadGateway, to+" does not answer: "+callFailure(err))
		return
	}
	defer resp.Body.Close() // it says nothing
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, service.MaxSize))
	a.upstreamWorkloads = strings.Join(resp.Header[traceheader.WorkloadHeader], ", ")
	s.writeDrill(a, resp.StatusCode, s.template.served+continueList(resp.Header[traceheader.ServedHeader]))
}

// continueList is a list of header lines as it goes on another one.
func continueList(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ", " + strings.Join(lines, ", ")
}
