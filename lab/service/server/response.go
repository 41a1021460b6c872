package server

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"coalmine/loadgen/traceheader"
)

// response writes the answer to one request.
type response struct {
	w      http.ResponseWriter
	server *Server
	head   bool
	// started is set once something was written.
	started     bool
	faultHeader string // value of the fault header
	// upstreamWorkloads are the workloads of the services that were called.
	upstreamWorkloads string
}

// responseTemplate is what every answer of a server has in common.
type responseTemplate struct {
	served string // service=version
	// workload is service=workload, "" where it is not known.
	workload string
	// prefix is the beginning of a JSON object: service and version.
	prefix  string
	routes  []string // by number, quoted
	cohorts []string // by number, quoted; the last is null
	faults  map[string]string
	// padding is a stretch of spaces.
	padding []byte
}

// stretch is how much of a long answer is written at a time, and has to go out within writeTimeout.
const (
	chunkSize    = 16 << 10
	writeTimeout = 2 * time.Minute
)

func newResponseTemplate(s *Server) responseTemplate {
	p := responseTemplate{
		served: s.cfg.Service + "=" + s.cfg.Version, faults: map[string]string{}, padding: []byte(strings.Repeat(" ", chunkSize)),
		prefix: `{"service":` + jsonString(s.cfg.Service) + `,"version":` + jsonString(s.cfg.Version),
	}
	if s.cfg.Deployment != "" {
		p.workload = s.cfg.Service + "=" + listItem(s.cfg.Deployment)
	}
	for _, name := range s.routes.names {
		p.routes = append(p.routes, jsonString(name))
	}
	for _, name := range s.identifier.names[:len(s.identifier.names)-1] {
		p.cohorts = append(p.cohorts, jsonString(name))
	}
	p.cohorts = append(p.cohorts, "null")
	for _, name := range s.pod.faults {
		p.faults[name] = s.cfg.Service + "/" + listItem(name)
	}
	return p
}

// jsonString is a text as JSON.
func jsonString(text string) string {
	b, _ := json.Marshal(text) // a string always can be
	return string(b)
}

// listItem makes a name fit for a header that is a list.
func listItem(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return '?'
		case r == ',':
			return ';'
		}
		return r
	}, strings.TrimSpace(name))
}

// setFaults says which faults touched the request, here and in the services behind.
func (a *response) setFaults(own []string, behind string) {
	list := make([]string, 0, len(own)+1)
	for _, name := range own {
		list = append(list, a.server.template.faults[name])
	}
	if behind != "" {
		list = append(list, behind)
	}
	a.faultHeader = strings.Join(list, ", ")
}

// writeWork answers as the model said: with a JSON document of exactly the size of the work.
func (a *response) writeWork(v *activeRequest, status int, wrong bool, behind string) {
	p := &a.server.template
	served := p.served
	if behind != "" {
		served += ", " + behind
	}
	if wrong {
		a.w.Header()[traceheader.WrongHeader] = []string{"1"}
	}
	// Half a kilobyte holds all but the longest names.
	a.write(status, served, p.document(make([]byte, 0, 512), v, status < 400 && !wrong), v.work.Size)
}

// document appends what the answer says about itself, as much as its size has room for. Blanks fill the rest, which JSON allows.
func (p *responseTemplate) document(b []byte, v *activeRequest, ok bool) []byte {
	b = append(append(append(b, p.prefix...), `,"route":`...), p.routes[v.req.Route]...)
	b = strconv.AppendUint(append(b, `,"seq":`...), v.req.Seq, 10)
	short := len(b)
	if !v.traced {
		b = append(append(b, `,"marked":false,"cohort":`...), p.cohorts[v.req.Cohort]...)
		b = strconv.AppendUint(append(b, `,"user":`...), uint64(v.req.User), 10)
	}
	b = append(strconv.AppendBool(append(b, `,"ok":`...), ok), '}')
	if len(b) <= v.work.Size {
		return b
	}
	if b = append(b[:short], '}'); len(b) <= v.work.Size {
		return b
	}
	if v.work.Size == 1 {
		return append(b[:0], '0') // the shortest document there is
	}
	return append(b[:0], "{}"...)
}

// writeError answers with an error of the service's own, without any work.
func (a *response) writeError(status int, message string) {
	p := &a.server.template
	b := []byte(p.prefix + `,"error":` + jsonString(message) + "}\n")
	a.write(status, p.served, b, len(b))
}

// write sends an answer of a size, filled up with blanks.
func (a *response) write(status int, served string, body []byte, size int) {
	a.started = true
	h := a.w.Header()
	h[traceheader.ServedHeader] = []string{served}
	if workloads := a.workloads(); workloads != "" {
		h[traceheader.WorkloadHeader] = []string{workloads}
	}
	if a.faultHeader != "" {
		h[traceheader.FaultHeader] = []string{a.faultHeader}
	}
	h["Cache-Control"] = []string{"no-store"}
	bodiless := status == http.StatusNoContent || status == http.StatusNotModified
	if !bodiless {
		h["Content-Type"] = []string{"application/json"}
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	a.extendDeadline()
	a.w.WriteHeader(status)
	if bodiless || a.head {
		return
	}
	a.writeBody(body, size)
}

// workloads is the list of those who served, as far as they say of what they are.
func (a *response) workloads() string {
	own := a.server.template.workload
	if own == "" || a.upstreamWorkloads == "" {
		return own + a.upstreamWorkloads
	}
	return own + ", " + a.upstreamWorkloads
}

// writeBody writes a body. A client that does not take it leaves the rest.
func (a *response) writeBody(body []byte, size int) {
	blank := a.server.template.padding
	if left := size - len(body); left > 0 && left <= cap(body)-len(body) {
		body = append(body, blank[:left]...) // the usual case: one write
	}
	if size == len(body) && size > 1 && body[size-1] == ' ' {
		body[size-1] = '\n'
	}
	for len(body) > 0 {
		n, err := a.w.Write(body)
		if err != nil {
			return
		}
		size -= n
		body = blank[:min(size, chunkSize)]
		a.extendDeadline()
	}
}

// extendDeadline gives the client time for the next stretch.
func (a *response) extendDeadline() {
	_ = http.NewResponseController(a.w).SetWriteDeadline(time.Now().Add(writeTimeout)) // where there are no deadlines, nothing is slow
}

// flush sends what is written.
func (a *response) flush() { _ = http.NewResponseController(a.w).Flush() } // a client that has gone needs no answer

// retryAfter is a time in whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(int(math.Ceil(d.Seconds())), 1))
}
