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
	// started is set when the header has been written.
	started     bool
	faultHeader string
	// upstreamWorkloads lists the workloads of the services that were called.
	upstreamWorkloads string
}

// responseTemplate holds the parts that are common to all responses of a server.
type responseTemplate struct {
	served string // service=version
	// workload is service=workload, or "" if unknown.
	workload string
	// prefix is the start of a JSON object, with service and version.
	prefix  string
	routes  []string // by index, as JSON
	cohorts []string // by index, as JSON; the last one is null
	faults  map[string]string
	// padding is chunkSize spaces.
	padding []byte
}

const (
	// chunkSize is how much of a long body is written at a time.
	chunkSize = 16 << 10
	// writeTimeout is how long the client may take to receive a chunk.
	writeTimeout = 2 * time.Minute
)

func newResponseTemplate(s *Server) responseTemplate {
	p := responseTemplate{
		served: s.cfg.Service + "=" + s.cfg.Version, faults: map[string]string{},
		padding: []byte(strings.Repeat(" ", chunkSize)),
		prefix:  `{"service":` + jsonString(s.cfg.Service) + `,"version":` + jsonString(s.cfg.Version),
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

// jsonString encodes a string as JSON.
func jsonString(text string) string {
	b, _ := json.Marshal(text) // marshalling a string does not fail
	return string(b)
}

// listItem replaces characters that are not allowed in an item of a list header.
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

// setFaults sets the fault header: the service's own faults and those of upstream services.
func (resp *response) setFaults(own []string, upstream string) {
	list := make([]string, 0, len(own)+1)
	for _, name := range own {
		list = append(list, resp.server.template.faults[name])
	}
	if upstream != "" {
		list = append(list, upstream)
	}
	resp.faultHeader = strings.Join(list, ", ")
}

// writeWork writes the response of the model: a JSON document of exactly the size of the work.
func (resp *response) writeWork(ar *activeRequest, status int, wrong bool, upstream string) {
	p := &resp.server.template
	served := p.served
	if upstream != "" {
		served += ", " + upstream
	}
	if wrong {
		resp.w.Header()[traceheader.WrongHeader] = []string{"1"}
	}
	// 512 bytes are enough unless names are very long.
	resp.write(status, served, p.document(make([]byte, 0, 512), ar, status < 400 && !wrong), ar.work.Size)
}

// document appends a JSON object about the response, with as many fields as fit into its size.
func (p *responseTemplate) document(b []byte, ar *activeRequest, ok bool) []byte {
	b = append(append(append(b, p.prefix...), `,"route":`...), p.routes[ar.req.Route]...)
	b = strconv.AppendUint(append(b, `,"seq":`...), ar.req.Seq, 10)
	short := len(b)
	if !ar.traced {
		b = append(append(b, `,"marked":false,"cohort":`...), p.cohorts[ar.req.Cohort]...)
		b = strconv.AppendUint(append(b, `,"user":`...), uint64(ar.req.User), 10)
	}
	b = append(strconv.AppendBool(append(b, `,"ok":`...), ok), '}')
	if len(b) <= ar.work.Size {
		return b
	}
	if b = append(b[:short], '}'); len(b) <= ar.work.Size {
		return b
	}
	if ar.work.Size == 1 {
		return append(b[:0], '0') // the shortest JSON document
	}
	return append(b[:0], "{}"...)
}

// writeError writes an error of the server itself.
func (resp *response) writeError(status int, message string) {
	p := &resp.server.template
	b := []byte(p.prefix + `,"error":` + jsonString(message) + "}\n")
	resp.write(status, p.served, b, len(b))
}

// write writes a response whose body is padded with spaces to a size.
func (resp *response) write(status int, served string, body []byte, size int) {
	resp.started = true
	h := resp.w.Header()
	h[traceheader.ServedHeader] = []string{served}
	if workloads := resp.workloads(); workloads != "" {
		h[traceheader.WorkloadHeader] = []string{workloads}
	}
	if resp.faultHeader != "" {
		h[traceheader.FaultHeader] = []string{resp.faultHeader}
	}
	h["Cache-Control"] = []string{"no-store"}
	noBody := status == http.StatusNoContent || status == http.StatusNotModified
	if !noBody {
		h["Content-Type"] = []string{"application/json"}
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	resp.extendDeadline()
	resp.w.WriteHeader(status)
	if noBody || resp.head {
		return
	}
	resp.writeBody(body, size)
}

// workloads returns the list of workloads that served the request, as far as known.
func (resp *response) workloads() string {
	own := resp.server.template.workload
	if own == "" || resp.upstreamWorkloads == "" {
		return own + resp.upstreamWorkloads
	}
	return own + ", " + resp.upstreamWorkloads
}

// writeBody writes a body and its padding, until the client is gone.
func (resp *response) writeBody(body []byte, size int) {
	padding := resp.server.template.padding
	if left := size - len(body); left > 0 && left <= cap(body)-len(body) {
		body = append(body, padding[:left]...) // the usual case: one write
	}
	if size == len(body) && size > 1 && body[size-1] == ' ' {
		body[size-1] = '\n'
	}
	for len(body) > 0 {
		n, err := resp.w.Write(body)
		if err != nil {
			return
		}
		size -= n
		body = padding[:min(size, chunkSize)]
		resp.extendDeadline()
	}
}

// extendDeadline gives the client time to receive the next chunk.
func (resp *response) extendDeadline() {
	// A writer without deadlines returns an error, which does not matter.
	_ = http.NewResponseController(resp.w).SetWriteDeadline(time.Now().Add(writeTimeout))
}

// flush sends buffered data to the client.
func (resp *response) flush() { _ = http.NewResponseController(resp.w).Flush() } // the client may be gone

// retryAfter returns a duration in whole seconds, at least 1.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(int(math.Ceil(d.Seconds())), 1))
}
