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

// serveDrill answers a probe of a rollback drill with the version and workload that serve it. A
// probe for another service is forwarded as a call.
func (s *Server) serveDrill(resp *response, r *http.Request) {
	if s.pod.readyIn() > 0 || s.stopping.Load() {
		resp.writeError(http.StatusServiceUnavailable, "the service is not ready")
		return
	}
	if to := r.Header.Get(traceheader.DrillToHeader); to != "" && to != s.cfg.Service {
		s.forwardDrill(resp, r, to)
		return
	}
	s.writeDrill(resp, http.StatusOK, s.template.served)
}

func (s *Server) writeDrill(resp *response, status int, served string) {
	b := []byte(s.template.prefix + "}\n")
	resp.write(status, served, b, len(b))
}

// forwardDrill forwards a probe to another service and passes on the answer.
func (s *Server) forwardDrill(resp *response, r *http.Request, to string) {
	base := s.calls.to[to]
	if base == nil || callDepth(r)+1 >= maxDepth {
		resp.writeError(http.StatusBadGateway, "this service does not call "+to)
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
	upstream, err := s.calls.transport.RoundTrip(req.WithContext(r.Context()))
	if err != nil {
		resp.writeError(http.StatusBadGateway, to+" does not answer: "+callFailure(err))
		return
	}
	defer upstream.Body.Close() // the body is not used
	_, _ = io.Copy(io.Discard, io.LimitReader(upstream.Body, service.MaxSize))
	resp.upstreamWorkloads = strings.Join(upstream.Header[traceheader.WorkloadHeader], ", ")
	s.writeDrill(resp, upstream.StatusCode, s.template.served+continueList(upstream.Header[traceheader.ServedHeader]))
}

// continueList joins header lines so that they can be appended to a list.
func continueList(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ", " + strings.Join(lines, ", ")
}
