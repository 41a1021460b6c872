package serve

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"coalmine/loadgen/mark"
)

// answer writes the answer to one request.
type answer struct {
	w      http.ResponseWriter
	server *Server
	head   bool
	// begun is set once something was written.
	begun bool
	hit   string // value of the fault header
	// behind are the workloads of the services that were called.
	behind string
}

// paper is what every answer of a server has in common.
type paper struct {
	served string // service=version
	// workload is service=workload, "" where it is not known.
	workload string
	// opening is the beginning of a JSON object: service and version.
	opening string
	routes  []string // by number, quoted
	cohorts []string // by number, quoted; the last is null
	faults  map[string]string
	// blank is a stretch of spaces.
	blank []byte
}

// stretch is how much of a long answer is written at a time, and has to go out within writeTimeout.
const (
	stretch      = 16 << 10
	writeTimeout = 2 * time.Minute
)

func newPaper(s *Server) paper {
	p := paper{
		served: s.cfg.Service + "=" + s.cfg.Version, faults: map[string]string{}, blank: []byte(strings.Repeat(" ", stretch)),
		opening: `{"service":` + quoted(s.cfg.Service) + `,"version":` + quoted(s.cfg.Version),
	}
	if s.cfg.Deployment != "" {
		p.workload = s.cfg.Service + "=" + listed(s.cfg.Deployment)
	}
	for _, name := range s.routes.names {
		p.routes = append(p.routes, quoted(name))
	}
	for _, name := range s.crowd.names[:len(s.crowd.names)-1] {
		p.cohorts = append(p.cohorts, quoted(name))
	}
	p.cohorts = append(p.cohorts, "null")
	for _, name := range s.pod.faults {
		p.faults[name] = s.cfg.Service + "/" + listed(name)
	}
	return p
}

// quoted is a text as JSON.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always can be
	return string(b)
}

// listed makes a name fit for a header that is a list.
func listed(name string) string {
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

// faults says which faults touched the request, here and in the services behind.
func (a *answer) faults(own []string, behind string) {
	list := make([]string, 0, len(own)+1)
	for _, name := range own {
		list = append(list, a.server.paper.faults[name])
	}
	if behind != "" {
		list = append(list, behind)
	}
	a.hit = strings.Join(list, ", ")
}

// serve answers as the model said: with a JSON document of exactly the size of the work.
func (a *answer) serve(v *visit, status int, wrong bool, behind string) {
	p := &a.server.paper
	served := p.served
	if behind != "" {
		served += ", " + behind
	}
	if wrong {
		a.w.Header()[mark.WrongHeader] = []string{"1"}
	}
	// Half a kilobyte holds all but the longest names.
	a.write(status, served, p.document(make([]byte, 0, 512), v, status < 400 && !wrong), v.work.Size)
}

// document appends what the answer says about itself, as much as its size has room for. Blanks fill the rest, which JSON allows.
func (p *paper) document(b []byte, v *visit, ok bool) []byte {
	b = append(append(append(b, p.opening...), `,"route":`...), p.routes[v.job.Route]...)
	b = strconv.AppendUint(append(b, `,"seq":`...), v.job.Seq, 10)
	short := len(b)
	if !v.marked {
		b = append(append(b, `,"marked":false,"cohort":`...), p.cohorts[v.job.Cohort]...)
		b = strconv.AppendUint(append(b, `,"user":`...), uint64(v.job.User), 10)
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

// refuse answers with an error of the service's own, without any work.
func (a *answer) refuse(status int, message string) {
	p := &a.server.paper
	b := []byte(p.opening + `,"error":` + quoted(message) + "}\n")
	a.write(status, p.served, b, len(b))
}

// write sends an answer of a size, filled up with blanks.
func (a *answer) write(status int, served string, body []byte, size int) {
	a.begun = true
	h := a.w.Header()
	h[mark.ServedHeader] = []string{served}
	if workloads := a.workloads(); workloads != "" {
		h[mark.WorkloadHeader] = []string{workloads}
	}
	if a.hit != "" {
		h[mark.FaultHeader] = []string{a.hit}
	}
	h["Cache-Control"] = []string{"no-store"}
	bodiless := status == http.StatusNoContent || status == http.StatusNotModified
	if !bodiless {
		h["Content-Type"] = []string{"application/json"}
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	a.extend()
	a.w.WriteHeader(status)
	if bodiless || a.head {
		return
	}
	a.fill(body, size)
}

// workloads is the list of those who served, as far as they say of what they are.
func (a *answer) workloads() string {
	own := a.server.paper.workload
	if own == "" || a.behind == "" {
		return own + a.behind
	}
	return own + ", " + a.behind
}

// fill writes a body. A client that does not take it leaves the rest.
func (a *answer) fill(body []byte, size int) {
	blank := a.server.paper.blank
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
		body = blank[:min(size, stretch)]
		a.extend()
	}
}

// extend gives the client time for the next stretch.
func (a *answer) extend() {
	_ = http.NewResponseController(a.w).SetWriteDeadline(time.Now().Add(writeTimeout)) // where there are no deadlines, nothing is slow
}

// flush sends what is written.
func (a *answer) flush() { _ = http.NewResponseController(a.w).Flush() } // a client that has gone needs no answer

// retryAfter is a time in whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(int(math.Ceil(d.Seconds())), 1))
}
