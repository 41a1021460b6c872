package recordings

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// played is what the model made of a series of requests.
type played struct {
	// answers are by what they were; see [reply.kind].
	answers map[string][]answer
	headers map[string]string
	// disturbed is set if the kubelet changed the readiness of a pod meanwhile.
	disturbed bool
}

type answer struct {
	sent, took time.Duration
	pod        int
}

// play plays a recording under a seed: the results of its series of requests in order, and its
// cluster.
func play(r recording, seed uint64) ([]played, *cluster, error) {
	c := newCluster(seed)
	for _, name := range r.leftServers() {
		c.apply(fmt.Sprintf(leftServer, name))
	}
	c.apply(r.Manifests)
	c.pass(settle)
	var results []played
	for _, s := range r.Steps {
		if err := c.change(s); err != nil {
			return nil, nil, err
		}
		if s.From == "" {
			continue
		}
		c.schedule(s.During)
		for _, q := range s.Send {
			c.awaitEnd(q)
			results = append(results, c.sendAll(s.From, q))
		}
	}
	return results, c, nil
}

// leftServers returns Servers that series name and no manifest has: a recording before this one left
// them.
func (r recording) leftServers() []string {
	var names []string
	manifests := r.Manifests
	for _, s := range r.Steps {
		manifests += s.Apply
		for _, d := range s.During {
			manifests += d.Apply
		}
	}
	for _, m := range r.Metrics {
		for _, line := range m.Lines {
			for _, found := range serverInLine.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(manifests, "name: "+found[1]+"\n") && !slices.Contains(names, found[1]) {
					names = append(names, found[1])
				}
			}
		}
	}
	return names
}

var serverInLine = regexp.MustCompile(`srv_kind="server",srv_name="([^"]+)"`)

// leftServer admits everyone, as no recording starts with requests that are turned away.
const leftServer = `
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: %s, namespace: probe}
spec:
  podSelector: {matchLabels: {app: server}}
  port: http
  accessPolicy: all-unauthenticated
`

// change applies what a step changes.
func (c *cluster) change(s step) error {
	switch {
	case len(s.Refused) > 0:
		return nil
	case s.Apply != "":
		c.apply(s.Apply)
	case s.Delete != "":
		c.remove(s.Delete)
	case s.Kubectl != "":
		if err := c.kubectl(words(s.Kubectl)); err != nil {
			return err
		}
	default:
		return nil
	}
	c.run(90*time.Second, func() bool { return c.settled() || strings.Contains(s.Kubectl, "scale") })
	c.pass(settle)
	return nil
}

// settle is the pause after a change, long enough for three probes of the kubelet.
const settle = 3 * time.Second

// words splits a command at spaces, but not within braces of JSON.
func words(command string) []string {
	head, tail, ok := strings.Cut(command, " -p ")
	list := strings.Fields(head)
	if ok {
		list = append(list, "-p", tail)
	}
	return list
}

func (c *cluster) schedule(list []during) {
	for _, d := range list {
		c.after(seconds(d.After), func() {
			if d.Apply != "" {
				c.apply(d.Apply)
				return
			}
			if err := c.kubectl(d.Kubectl); err != nil {
				panic(err)
			}
		})
	}
}

// sendAll sends a series of requests and waits for the answers.
func (c *cluster) sendAll(from string, q send) played {
	count, workers := max(q.Count, 1), max(q.Concurrency, 1)
	result := played{answers: map[string][]answer{}, headers: map[string]string{}}
	c.disturbed = false
	start, next, open := c.now, 0, 0
	var work func()
	work = func() {
		if next == count {
			return
		}
		i := next
		next++
		open++
		due := start
		if q.Rate > 0 {
			due += seconds(float64(i) / q.Rate)
		}
		c.after(due-c.now, func() {
			sent := c.now
			c.sendOne(c.clients[from], q, i, func(r reply) {
				result.add(r, sent-start, c.now-sent)
				open--
				work()
			})
		})
	}
	for range workers {
		work()
	}
	if !c.run(10*time.Minute, func() bool { return next == count && open == 0 }) {
		result.answers["never answered"] = make([]answer, open)
	}
	result.disturbed = c.disturbed
	return result
}

func (c *cluster) sendOne(x *client, q send, i int, done func(reply)) {
	u, err := url.Parse(q.URL)
	if err != nil {
		panic(err)
	}
	r := &call{method: "GET", url: u, host: u.Host, body: q.Body, key: q.Key}
	if q.Method != "" {
		r.method = q.Method
	}
	if q.Key == "unique" {
		r.key = q.Name + strconv.Itoa(i)
	}
	for _, name := range slices.Sorted(maps.Keys(q.Headers)) {
		if strings.EqualFold(name, "host") {
			r.host = q.Headers[name]
			continue
		}
		r.headers = append(r.headers, mesh.Header{Name: name, Value: q.Headers[name]})
	}
	answered := false
	once := func(a reply) {
		if !answered {
			answered = true
			done(a)
		}
	}
	if q.Timeout != "" {
		limit, _ := time.ParseDuration(q.Timeout)
		c.after(limit, func() {
			r.gone = true
			once(reply{err: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"})
		})
	}
	x.send(r, once)
}

func (p *played) add(r reply, sent, took time.Duration) {
	pod := -1
	if r.pod != nil && r.err == "" && r.server != "" {
		pod = r.pod.id
	}
	k := r.kind()
	p.answers[k] = append(p.answers[k], answer{sent, took, pod})
	if r.err != "" {
		return
	}
	if r.proxyError != "" {
		p.headers["L5d-Proxy-Error"] = first(p.headers["L5d-Proxy-Error"], r.proxyError)
	}
	for name, value := range r.headers {
		p.headers[name] = first(p.headers[name], value)
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// kind says what a reply was, as recordings do.
func (r reply) kind() string {
	if r.err != "" {
		return "error: " + r.err
	}
	k := strconv.Itoa(r.status)
	if r.server != "" {
		k += " " + r.server
	}
	if r.proxyError != "" {
		k += " l5d-proxy-error=" + r.proxyError
	}
	if l := r.headers["Location"]; l != "" {
		k += " location=" + l
	}
	return k
}

func (p *played) String() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(p.answers)) {
		parts = append(parts, fmt.Sprintf("%d × %s", len(p.answers[k]), k))
	}
	return strings.Join(parts, ", ")
}
