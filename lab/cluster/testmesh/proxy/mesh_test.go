package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/lab/cluster/testmesh/proxy"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// shop has a client, a primary and a canary behind the Service backend, and their own Services.
type shop struct {
	*testMesh
	client, primary, canary *pod
	backend                 netip.Addr
	http                    *http.Client
}

func newShop(t testing.TB) *shop { return openShop(newTestMesh(t)) }

func openShop(w *testMesh) *shop {
	s := &shop{testMesh: w, backend: w.service("backend", "primary")}
	w.service("backend-primary", "primary")
	w.service("backend-canary", "canary")
	s.primary, s.canary = w.add("primary-0", "primary", true).greet(), w.add("canary-0", "canary", true).greet()
	s.client = w.add("client-0", "client", true)
	s.http = s.client.client(s.backend)
	for _, d := range []*pod{s.primary, s.canary, s.client} {
		d.ready()
	}
	s.follow()
	return s
}

// route sets the routes and waits until the client's proxy follows them.
func (s *shop) route(rules ...mesh.Rule) {
	s.t.Helper()
	s.change(route(rules...))
	s.client.follow()
}

// follow waits until all three have the newest snapshot.
func (s *shop) follow() {
	s.t.Helper()
	for _, d := range []*pod{s.primary, s.canary, s.client} {
		d.follow()
	}
}

func TestWeights(t *testing.T) {
	s := newShop(t)
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 70), to("backend-canary", 30)}})
	const n = 1000
	canary := 0
	for range n {
		if ask(t, s.http, "GET", "/", "").header.Get("Pod") == "canary-0" {
			canary++
		}
	}
	if canary < 250 || canary > 350 { // 14.5 is a standard deviation
		t.Errorf("the canary got %d of %d", canary, n)
	}
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 100), to("backend-canary", 0)}})
	for range 50 {
		if got := ask(t, s.http, "GET", "/", "").header.Get("Pod"); got != "primary-0" {
			t.Fatalf("%s got a request at weight 0", got)
		}
	}
	// An unready canary leaves its share to the primary.
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 1), to("backend-canary", 99)}})
	s.canary.Ready = false
	s.tell(s.canary)
	s.follow()
	for range 20 {
		if got := ask(t, s.http, "GET", "/", ""); got.header.Get("Pod") != "primary-0" {
			t.Fatalf("%+v", got)
		}
	}
}

func TestMatches(t *testing.T) {
	s := newShop(t)
	shop := mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/shop"}
	canary := to("backend-canary", 100)
	canary.ResponseHeaders = mesh.HeaderFilter{Add: []mesh.Header{{Name: "Set-Cookie", Value: "canary=yes"},
		{Name: "Content-Length", Value: "1"}}}
	canary.RequestHeaders = mesh.HeaderFilter{Set: []mesh.Header{{Name: "L5d-Client-Id", Value: "somebody"}}}
	s.route(
		mesh.Rule{Matches: []mesh.Match{
			{Headers: []mesh.ValueMatch{{Name: "x-canary", Value: "always"}}},
			{Path: shop, Headers: []mesh.ValueMatch{{Name: "cookie", Value: `^(.*;\s*)?canary=yes(;.*)?$`,
				Regex: true}}},
			{Path: shop, Query: []mesh.ValueMatch{{Name: "canary", Value: "1"}}},
		}, Backends: []mesh.Backend{canary}},
		mesh.Rule{Matches: []mesh.Match{{Path: shop}}, Backends: []mesh.Backend{to("backend-primary", 1)}},
		mesh.Rule{Matches: []mesh.Match{{Path: mesh.PathMatch{Kind: mesh.PathExact, Value: "/missing"}}},
			Backends: []mesh.Backend{to("nobody", 1)}},
	)
	for _, c := range []struct {
		target  string
		headers []string
		status  int
		pod     string
	}{
		{"/", []string{"X-Canary", "always"}, 200, "canary-0"},
		{"/shop/a", []string{"X-Canary", "never"}, 200, "primary-0"},
		{"/shop", []string{"Cookie", "a=1; canary=yes"}, 200, "canary-0"},
		{"/shop", []string{"Cookie", "a=1; canary=yess"}, 200, "primary-0"},
		{"/shop?canary=1&b=%zz;", nil, 200, "canary-0"},
		{"/elsewhere", nil, 404, ""},
		{"/shopping", nil, 404, ""},
		{"/missing", nil, 500, ""},
	} {
		got := ask(t, s.http, "GET", c.target, "", c.headers...)
		if got.status != c.status || got.header.Get("Pod") != c.pod {
			t.Errorf("%s %q: %+v, want %d of %q", c.target, c.headers, got, c.status, c.pod)
		}
		if c.status == 200 && !strings.Contains(got.body, " "+c.target+" ") {
			t.Errorf("%s: the service saw %q", c.target, got.body)
		}
		if cookie := got.header.Get("Set-Cookie"); (cookie == "canary=yes") != (c.pod == "canary-0") {
			t.Errorf("%s: cookie %q", c.target, cookie)
		}
		if id := got.header.Get("Client"); c.status == 200 && id != mesh.Identity("client", "develop") {
			t.Errorf("%s: the service was told that %q asks", c.target, id)
		}
		if c.status != 200 && got.header.Get("L5d-Proxy-Error") == "" {
			t.Errorf("%s: no reason", c.target)
		}
	}
}

// TestRequestsAreUnchanged: a transparent proxy forwards what it gets.
func TestRequestsAreUnchanged(t *testing.T) {
	s := newShop(t)
	s.primary.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header()["X-Seen"] = []string{r.Method + " " + r.Host + " " + r.RequestURI,
			strings.Join(r.Header["X-Forwarded-For"], "|"), r.Header.Get("User-Agent")}
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(body)
	})
	large := strings.Repeat("0123456789abcdef", 1<<16)
	got := ask(t, s.http, "PUT", "/a%2Fb//c?x=1;y&z", large, "X-Forwarded-For", "1.2.3.4", "User-Agent", "")
	want := []string{"PUT backend.develop /a%2Fb//c?x=1;y&z", "1.2.3.4", ""}
	if got.status != http.StatusTeapot || got.body != large || !slices.Equal(got.header["X-Seen"], want) {
		t.Errorf("%d, %d bytes, %q", got.status, len(got.body), got.header["X-Seen"])
	}
}

// TestStreams: a body is forwarded while it arrives.
func TestStreams(t *testing.T) {
	s := newShop(t)
	s.primary.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		buf := make([]byte, 1)
		for {
			if _, err := r.Body.Read(buf); err != nil {
				return
			}
			_, _ = w.Write(bytes.ToUpper(buf))
			_ = control.Flush()
		}
	})
	in, feed := io.Pipe()
	r, _ := http.NewRequest("POST", "http://backend/", in)
	go func() { _, _ = feed.Write([]byte("a")) }()
	answer, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	buf := make([]byte, 1)
	for _, c := range "abc" {
		if c != 'a' {
			if _, err := feed.Write([]byte(string(c))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(answer.Body, buf); err != nil || buf[0] != byte(c)-32 {
			t.Fatalf("%q, %v", buf, err)
		}
	}
	feed.Close()
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// policies allow only the client to call the canary, and everyone the primary's health endpoint.
func policies(s *wire.Snapshot) {
	s.Policies = mesh.Policies{
		Servers: []mesh.Server{
			{Name: "canary", Namespace: "develop",
				Selector: mesh.Selector{MatchLabels: map[string]string{"app": "canary"}}, Port: 8080},
			{Name: "primary", Namespace: "develop",
				Selector: mesh.Selector{MatchLabels: map[string]string{"app": "primary"}}, Port: 8080},
		},
		Authorizations: []mesh.AuthorizationPolicy{{
			Name: "clients", Namespace: "develop", TargetKind: "Server", TargetName: "canary",
			Required: []mesh.AuthenticationRef{{Kind: "ServiceAccount", Name: "client"}},
		}},
	}
}

func TestIdentitiesAndPolicies(t *testing.T) {
	s := newShop(t)
	s.route(mesh.Rule{Matches: []mesh.Match{{Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/canary"}}},
		Backends: []mesh.Backend{to("backend-canary", 1)}},
		mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 1)}})
	if got := ask(t, s.http, "GET", "/canary", ""); got.status != 200 ||
		got.header.Get("Client") != mesh.Identity("client", "develop") {
		t.Fatalf("%+v", got)
	}
	s.primary.ProbePaths = map[int][]string{8080: {"/healthz"}}
	s.primary.Labels["version"] = "v1"
	s.tell(s.primary)
	s.change(policies)
	stranger := s.add("stranger-0", "stranger", true)
	stranger.ready()
	s.follow()
	outside := &http.Client{Transport: dialer(func() (net.Conn, error) { return s.direct("10.250.0.9", s.primary) })}
	t.Cleanup(outside.CloseIdleConnections)
	toCanary := &http.Client{Transport: dialer(func() (net.Conn, error) { return s.direct("10.250.0.9", s.canary) })}
	t.Cleanup(toCanary.CloseIdleConnections)
	for name, c := range map[string]struct {
		got    got
		status int
	}{
		"the client asks the canary":       {ask(t, s.http, "GET", "/canary", ""), 200},
		"the client asks the primary":      {ask(t, s.http, "GET", "/", ""), 403},
		"another identity asks the canary": {ask(t, stranger.client(s.backend), "GET", "/canary", ""), 403},
		"a probe":                          {ask(t, outside, "GET", "/healthz?x=1", ""), 200},
		"not a probe":                      {ask(t, outside, "POST", "/healthz", ""), 403},
		"no identity":                      {ask(t, toCanary, "GET", "/", ""), 403},
		"forged identity header": {ask(t, toCanary, "GET", "/", "", "L5d-Client-Id",
			mesh.Identity("client", "develop")), 403},
		"no identity, without mTLS": {ask(t, outside, "GET", "/", ""), 403},
	} {
		if c.got.status != c.status {
			t.Errorf("%s: %+v, want %d", name, c.got, c.status)
		}
		for name := range c.got.header { // a denial says nothing, not even who denied
			if c.status == 403 && name != "Date" && name != "Content-Length" {
				t.Errorf("%s: %q", name, c.got.header)
			}
		}
	}
}

// dialer sends requests over connections of its own.
func dialer(dial func() (net.Conn, error)) *http.Transport {
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
}

// direct connects to a pod from outside of the mesh.
func (w *testMesh) direct(from string, d *pod) (net.Conn, error) {
	return w.dial(netip.MustParseAddr(from), netip.AddrPortFrom(d.IP, 8080))
}

func TestPlainClientsAndPods(t *testing.T) {
	s := newShop(t)
	outside := &http.Client{Transport: dialer(func() (net.Conn, error) { return s.direct("10.250.0.9", s.primary) })}
	t.Cleanup(outside.CloseIdleConnections)
	if got := ask(t, outside, "GET", "/x", "", "L5d-Client-Id", "somebody"); got.status != 200 ||
		got.header.Get("Client") != "" {
		t.Errorf("%+v", got)
	}
	plain := s.add("plain-0", "plain", false).greet()
	s.service("backend-plain", "plain")
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-plain", 1)}})
	if got := ask(t, s.http, "GET", "/x", ""); got.status != 200 || got.header.Get("Pod") != plain.Name {
		t.Errorf("%+v", got)
	}
	// A port that the pod's proxy skips has no mTLS.
	s.canary.SkipInbound = "8080"
	s.tell(s.canary)
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)}})
	if got := ask(t, s.http, "GET", "/x", ""); got.status != 200 || got.header.Get("Client") != "" {
		t.Errorf("%+v", got)
	}
	// A Service without a selector is left to kube-proxy.
	vip := s.service("backend-elsewhere", "plain")
	s.change(func(snapshot *wire.Snapshot) { snapshot.Services[len(snapshot.Services)-1].Selector = nil })
	s.client.follow()
	plain.serve(80, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "on port 80") })
	s.mu.Lock()
	s.pods[vip] = plain
	s.mu.Unlock()
	if got := ask(t, s.client.client(vip), "GET", "/x", ""); got.status != 200 || got.body != "on port 80" {
		t.Errorf("%+v", got)
	}
	// So is an opaque port: no route applies to it.
	opaque := s.service("backend-opaque", "client")
	s.change(func(snapshot *wire.Snapshot) {
		snapshot.Services[len(snapshot.Services)-1].Ports[0].Policy.Protocol = mesh.ProtocolOpaque
	})
	s.client.follow()
	s.mu.Lock()
	s.pods[opaque] = plain
	s.mu.Unlock()
	if got := ask(t, s.client.client(opaque), "GET", "/x", ""); got.status != 200 || got.body != "on port 80" {
		t.Errorf("%+v", got)
	}
	// Requests of the pod to itself bypass its inbound proxy.
	own := s.client.greet()
	s.service("backend-own", "client")
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-own", 1)}})
	if got := ask(t, s.http, "GET", "/x", ""); got.status != 200 || got.header.Get("Pod") != own.Name {
		t.Errorf("%+v", got)
	}
}

func TestFailfast(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Failfast = 50 * time.Millisecond }
	s := openShop(w)
	// Timeouts do not end the wait for an endpoint.
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)},
		Timeouts: mesh.Timeouts{Request: 10 * time.Millisecond}})
	s.canary.Ready = false
	s.tell(s.canary)
	s.follow()
	if got := ask(t, s.http, "GET", "/", ""); got.status != 504 ||
		!strings.HasSuffix(got.header.Get("L5d-Proxy-Error"), "service in fail-fast") {
		t.Errorf("%+v", got)
	}
	if got := ask(t, s.http, "GET", "/", ""); got.status != 503 ||
		!strings.HasSuffix(got.header.Get("L5d-Proxy-Error"), "service unavailable") {
		t.Errorf("after a request that waited in vain: %+v", got)
	}
	text, err := s.client.admin("/metrics")
	if err != nil || !strings.Contains(text, `outbound_http_errors_total{error="failfast"} `) ||
		!strings.Contains(text, `error="FAIL_FAST"`) || !strings.Contains(text, `error="LOAD_SHED"`) {
		t.Errorf("%v\n%s", err, text)
	}
	s.canary.Ready = true
	s.tell(s.canary)
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)}})
	if got := ask(t, s.http, "GET", "/", ""); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

// TestWaitsForAnEndpoint: a waiting request is sent when there is an endpoint.
func TestWaitsForAnEndpoint(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Failfast = time.Minute }
	s := openShop(w)
	s.canary.Ready = false
	s.tell(s.canary)
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)}})
	answer := make(chan got)
	go func() { answer <- ask(t, s.client.client(s.backend), "POST", "/", "the body") }()
	s.canary.Ready = true
	s.tell(s.canary)
	if got := <-answer; got.status != 200 || !strings.HasSuffix(got.body, "the body") {
		t.Errorf("%+v", got)
	}
}

func TestEndpointsThatCannotBeConnectedTo(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Failfast = 200 * time.Millisecond }
	s := openShop(w)
	other := s.add("primary-1", "primary", true).greet()
	other.ready()
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 1)}})
	w.mu.Lock()
	other.down = true
	w.mu.Unlock()
	for range 50 { // the endpoint that is down is tried first about half of the time
		if got := ask(t, s.http, "POST", "/", "the body"); got.status != 200 ||
			!strings.HasSuffix(got.body, "the body") {
			t.Fatalf("%+v", got)
		}
	}
	w.mu.Lock()
	s.primary.down = true
	w.mu.Unlock()
	s.primary.stop() // and its idle connections
	s.http.CloseIdleConnections()
	if got := ask(t, s.http, "GET", "/", ""); got.status != 504 {
		t.Errorf("meshed pods: %+v", got)
	}
	plain := s.add("plain-0", "plain", false)
	s.service("backend-plain", "plain")
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-plain", 1)}})
	if got := ask(t, s.http, "POST", "/", "x"); got.status != 502 {
		t.Errorf("a pod without proxy: %+v", got)
	}
	plain.greet()
	s.client.eventually("recovering", func() bool { return ask(t, s.http, "GET", "/", "").status == 200 })
}

// TestServiceThatDoesNotListen: the server's proxy answers for a service that does not listen yet.
func TestServiceThatDoesNotListen(t *testing.T) {
	s := newShop(t)
	empty := s.add("empty-0", "empty", true)
	empty.ready()
	s.service("backend-empty", "empty")
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-empty", 1)}})
	if got := ask(t, s.http, "GET", "/", ""); got.status != 502 || got.header.Get("L5d-Proxy-Error") != "" {
		t.Errorf("%+v", got)
	}
	text, err := empty.admin("/metrics")
	if err != nil || !strings.Contains(text, "\nrequest_total{") && !strings.HasPrefix(text, "request_total{") ||
		strings.Contains(text, "response_total{") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestEndpointsChangeUnderLoad: pods come and go while clients send: every request is answered
// once, by a pod.
func TestEndpointsChangeUnderLoad(t *testing.T) {
	s := newShop(t)
	var mu sync.Mutex
	seen := map[string]int{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[string(body)]++
		mu.Unlock()
		_, _ = w.Write(body)
	}
	s.primary.serve(8080, handler)
	s.canary.serve(8080, handler)
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 60), to("backend-canary", 40)}})
	var asked atomic.Int64
	var clients sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			c := s.client.client(s.backend)
			for {
				select {
				case <-done:
					return
				default:
				}
				body := fmt.Sprint("request ", asked.Add(1))
				if got := ask(t, c, "POST", "/", body); got.status != 200 || got.body != body {
					t.Errorf("%s: %+v", body, got)
					return
				}
			}
		})
	}
	for round := range 12 {
		d := s.add(fmt.Sprint("primary-", round+1), "primary", true).serve(8080, handler)
		d.ready()
		s.client.follow()
		load := func() {
			at := asked.Load()
			d.eventually("load", func() bool { return asked.Load() > at+100 || t.Failed() })
		}
		load()
		d.Ready = false
		s.tell(d)
		s.client.follow()
		load() // what was sent to the pod before was answered
		d.stop()
		s.remove(d)
	}
	close(done)
	clients.Wait()
	mu.Lock()
	defer mu.Unlock()
	for body, n := range seen {
		if n != 1 {
			t.Errorf("%s was answered %d times", body, n)
		}
	}
	if int64(len(seen)) != asked.Load() {
		t.Errorf("%d of %d requests arrived", len(seen), asked.Load())
	}
}
