package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"coalmine/lab/cluster/testmesh/proxy"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// echo runs a server that says hello first, if told so, and then echoes.
func (d *pod) echo(port int, hello string) *pod {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.testMesh.t.Fatal(err)
	}
	d.testMesh.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, hello)
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	d.testMesh.mu.Lock()
	defer d.testMesh.mu.Unlock()
	d.services[port] = l.Addr().String()
	return d
}

// talk sends bytes, closes its direction, and returns everything that comes back.
func talk(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "error"
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "error"
	}
	back, err := io.ReadAll(conn)
	if err != nil {
		return "error"
	}
	return string(back)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestOtherProtocolsAreForwarded(t *testing.T) {
	w := newTestMesh(t)
	server := w.add("server-0", "server", true).echo(8080, "").echo(3306, "mysql")
	client := w.add("client-0", "client", true)
	plain := w.add("plain-0", "plain", false).echo(9000, "plain ")
	vip := w.service("server", "server")
	server.ready()
	client.ready()
	// kube-proxy sends the address of a Service to a pod: here, to the only one.
	w.mu.Lock()
	w.pods[vip] = server
	w.mu.Unlock()
	// The service listens on 8080; a forwarded connection keeps its port.
	server.echo(80, "")
	at := func(a netip.Addr, port uint16) net.Conn {
		return must[net.Conn](t)(client.out(netip.AddrPortFrom(a, port)))
	}
	for _, text := range []string{
		"", "hello", "GET", "GET /x HTTP/3\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x01",
		"\x16\x03\x01 no hello at all", "SSH-2.0-x\r\n",
	} {
		if got := talk(t, at(vip, 80), text); got != text {
			t.Errorf("by the Service: %q came back as %q", text, got)
		}
		if got := talk(t, at(server.IP, 8080), text); got != text {
			t.Errorf("to the pod: %q came back as %q", text, got)
		}
	}
	if got := talk(t, at(server.IP, 3306), "select"); got != "mysqlselect" {
		t.Errorf("a server that speaks first said %q", got)
	}
	if got := talk(t, at(plain.IP, 9000), "x"); got != "plain x" {
		t.Errorf("a pod without proxy said %q", got)
	}
	if got := talk(t, must[net.Conn](t)(w.dial(netip.MustParseAddr("10.250.0.1"),
		netip.AddrPortFrom(server.IP, 8080))), "x"); got != "x" {
		t.Errorf("from outside: %q", got)
	}
	// Policies apply to connections, too.
	w.change(func(s *wire.Snapshot) { s.Policies.Default = mesh.AllAuthenticated })
	outside := func() string {
		return talk(t, must[net.Conn](t)(w.dial(netip.MustParseAddr("10.250.0.1"),
			netip.AddrPortFrom(server.IP, 8080))), "x")
	}
	server.eventually("denying", func() bool { return outside() != "x" })
	if got := talk(t, at(server.IP, 8080), "x"); got != "x" {
		t.Errorf("a client with an identity: %q", got)
	}
}

// TestForeignTLSIsForwarded: TLS that is not the mesh's is left alone.
func TestForeignTLSIsForwarded(t *testing.T) {
	w := newTestMesh(t)
	server, client := w.add("server-0", "server", true), w.add("client-0", "client", true)
	server.ready()
	client.ready()
	server.services[8443] = w.control.Listener.Addr().String() // any server with TLS
	roots := x509.NewCertPool()
	roots.AddCert(w.anchor.cert)
	for name, dial := range map[string]func() (net.Conn, error){
		"from outside": func() (net.Conn, error) {
			return w.dial(netip.MustParseAddr("10.250.0.1"), netip.AddrPortFrom(server.IP, 8443))
		},
		"from the mesh": func() (net.Conn, error) { return client.out(netip.AddrPortFrom(server.IP, 8443)) },
	} {
		conn := tls.Client(must[net.Conn](t)(dial()), &tls.Config{ServerName: "control.test", RootCAs: roots})
		if err := conn.Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
	}
}

// TestStrangersAreNotTrusted: a client must prove its identity.
func TestStrangersAreNotTrusted(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Failfast = 50 * time.Millisecond }
	s := openShop(w)
	identity := mesh.Identity("primary", "develop")
	another := newAuthority(t)
	key := newKey(t)
	for name, c := range map[string]struct {
		by    authority
		names []string
	}{
		"another trust anchor": {another, []string{mesh.Identity("client", "develop")}},
		"no identity":          {s.anchor, []string{"control.test"}},
		"two identities": {s.anchor, []string{mesh.Identity("client", "develop"),
			mesh.Identity("root", "develop")}},
		"no certificate": {s.anchor, nil},
	} {
		cfg := &tls.Config{ServerName: identity, InsecureSkipVerify: true}
		if c.names != nil {
			cfg.Certificates = []tls.Certificate{{PrivateKey: key,
				Certificate: [][]byte{c.by.sign(t, &key.PublicKey, time.Hour, c.names...)}}}
		}
		conn := tls.Client(must[net.Conn](t)(s.direct("10.250.0.1", s.primary)), cfg)
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			t.Errorf("%s: answered %s", name, r.Status)
		}
		conn.Close()
	}
	// A server whose identity is not the expected one gets nothing.
	s.primary.ServiceAccount = "somebody"
	s.tell(s.primary)
	s.client.eventually("refusing", func() bool { return ask(t, s.http, "GET", "/", "").status == 504 })
}

func TestHostileInput(t *testing.T) {
	s := newShop(t)
	many := strings.Repeat("X-A: b\r\n", 1<<16)
	for name, c := range map[string]struct {
		text string
		// status returns the status line of a response.
		status string
	}{
		"a line without colon": {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", " 400 "},
		"two lengths": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" +
			"Content-Length: 2\r\n\r\nab", " 400 "},
		"a length and chunks": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" +
			"\r\n0\r\n\r\n", " 200 "},
		"an unknown coding":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xyz\r\n\r\n", " 501 "},
		"no host":             {"GET / HTTP/1.1\r\n\r\n", " 400 "},
		"half a megabyte":     {"GET / HTTP/1.1\r\nHost: x\r\n" + many + "\r\n", " 431 "},
		"a long first line":   {"GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", " 431 "},
		"a control character": {"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", " 400 "},
		"a name with a blank": {"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", " 400 "},
		"a smuggled request": {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET /second HTTP/1.1\r\n" +
			"Host: x\r\nConnection: close\r\n\r\n", " 200 "},
		"an old client":          {"GET / HTTP/1.0\r\n\r\n", " 200 "},
		"half a body":            {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", ""},
		"a request for a tunnel": {"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", " "},
	} {
		for where, dial := range map[string]func() (net.Conn, error){
			"outbound": func() (net.Conn, error) { return s.client.out(netip.AddrPortFrom(s.backend, 80)) },
			"inbound":  func() (net.Conn, error) { return s.direct("10.250.0.1", s.primary) },
		} {
			conn := must[net.Conn](t)(dial())
			go func() {
				_, _ = io.WriteString(conn, c.text)
				if c.status == "" { // a client that has sent half a request closes
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			line, err := bufio.NewReader(conn).ReadString('\n')
			if errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "timeout") ||
				!strings.Contains(line, c.status) {
				t.Errorf("%s, %s: %q, %v, want %q", where, name, line, err, c.status)
			}
			conn.Close()
		}
	}
	if got := ask(t, s.http, "GET", "/", ""); got.status != 200 {
		t.Errorf("after all that: %+v", got)
	}
}

// TestLoopsAreCut: a connection that was not redirected, or that goes to the proxy's own listeners,
// would loop.
func TestLoopsAreCut(t *testing.T) {
	s := newShop(t)
	for _, dst := range []netip.AddrPort{
		{}, netip.AddrPortFrom(s.client.IP, 4143), netip.AddrPortFrom(s.client.IP, 4140),
	} {
		for _, door := range []int{4140, 4143} {
			conn := must[net.Conn](t)(s.wire(s.client.doors[door], dst, s.client.IP))
			if got := talk(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" && got != "error" {
				t.Errorf("%v by %d: %q", dst, door, got)
			}
		}
	}
}

func TestUpgrades(t *testing.T) {
	s := newShop(t)
	s.primary.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" || r.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.CopyN(conn, rw, 5)
	})
	conn := must[net.Conn](t)(s.client.out(netip.AddrPortFrom(s.backend, 80)))
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	if r, err := http.ReadResponse(in, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("%v %v", r, err)
	}
	_, _ = io.WriteString(conn, "hello")
	back := make([]byte, 5)
	if _, err := io.ReadFull(in, back); err != nil || string(back) != "hello" {
		t.Errorf("%q, %v", back, err)
	}
}

// TestStopsGracefully: a stopping proxy finishes requests in flight and accepts no more.
func TestStopsGracefully(t *testing.T) {
	s := newShop(t)
	working, finish := make(chan struct{}), make(chan struct{})
	s.primary.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		close(working)
		<-finish
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
	})
	answer := make(chan got)
	go func() { answer <- ask(t, s.http, "POST", "/", "body") }()
	<-working
	stopped := make(chan struct{})
	for _, d := range []*pod{s.primary, s.client} {
		go func() { d.stop(); stopped <- struct{}{} }()
		<-d.doors[4143].closed
	}
	if _, err := s.direct("10.250.0.1", s.primary); err == nil {
		t.Error("it still takes connections")
	}
	close(finish)
	if got := <-answer; got.status != 200 || len(got.body) != 1<<20 {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
	<-stopped
	<-stopped
}

// TestStopsInTime: what does not end is cut off.
func TestStopsInTime(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Drain = 50 * time.Millisecond }
	s := openShop(w)
	working := make(chan struct{})
	s.primary.serve(8080, func(_ http.ResponseWriter, r *http.Request) {
		close(working)
		<-r.Context().Done()
	})
	s.primary.echo(9000, "")
	conn := must[net.Conn](t)(s.client.out(netip.AddrPortFrom(s.primary.IP, 9000)))
	defer conn.Close()
	_, _ = io.WriteString(conn, "hello you\n") // soon not a request
	if _, err := io.ReadFull(conn, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		r, err := s.http.Get("http://backend/")
		if err == nil {
			r.Body.Close()
		}
		done <- err
	}()
	<-working
	s.client.stop()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is open")
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	w := newTestMesh(t)
	w.life = time.Second
	s := openShop(w)
	asked := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.certified
	}
	first := asked()
	s.client.eventually("renewing", func() bool { return asked() >= first+3 })
	if text, err := s.client.admin("/metrics"); err != nil ||
		!strings.Contains(text, "control_identity_cert_expiration_timestamp_seconds ") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestControlPlaneAway: while the control plane is away, the last state applies; a new proxy waits
// for it.
func TestControlPlaneAway(t *testing.T) {
	w := newTestMesh(t)
	w.tune = func(c *proxy.Config) { c.Failfast = 50 * time.Millisecond }
	s := openShop(w)
	away := func(is bool) {
		w.mu.Lock()
		w.away = is
		w.mu.Unlock()
		w.change(func(*wire.Snapshot) {})
	}
	away(true)
	if got := ask(t, s.http, "GET", "/", ""); got.status != 200 {
		t.Errorf("%+v", got)
	}
	late := w.add("late-0", "late", true).greet()
	for path, want := range map[string]string{"/ready": "no certificate yet", "/live": "live"} {
		if got, err := late.admin(path); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	outside := &http.Client{Transport: dialer(func() (net.Conn, error) { return s.direct("10.250.0.1", late) })}
	t.Cleanup(outside.CloseIdleConnections)
	if got := ask(t, outside, "GET", "/", ""); got.status != 503 {
		t.Errorf("a proxy without policies answered %+v", got)
	}
	away(false)
	late.ready()
	late.eventually("answering", func() bool { return ask(t, outside, "GET", "/", "").status == 200 })
}

// processorTime is the processor time of this process.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quantile sorts the times.
func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

func TestIncompleteConfig(t *testing.T) {
	if _, err := proxy.New(proxy.Config{}); err == nil {
		t.Error("a proxy that is not in the snapshot")
	}
}

// BenchmarkProxies sends requests to a service through two proxies with mTLS between them, and
// without any, one after the other and on 32 connections at once.
func BenchmarkProxies(b *testing.B) {
	s := newShop(b)
	s.primary.serve(8080, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	direct := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100,
		DialContext: dialer(func() (net.Conn, error) {
			return s.primary.reach(8080)
		}).DialContext}}
	b.Cleanup(direct.CloseIdleConnections)
	for name, c := range map[string]*http.Client{"direct": direct, "proxied": s.http} {
		b.Run(fmt.Sprintf("%s/one", name), func(b *testing.B) {
			times := make([]time.Duration, 0, 1<<16)
			for b.Loop() {
				begun := time.Now()
				ask(b, c, "GET", "/", "")
				times = append(times, time.Since(begun))
			}
			b.ReportMetric(float64(quantile(times, 0.5).Microseconds()), "p50-µs")
			b.ReportMetric(float64(quantile(times, 0.99).Microseconds()), "p99-µs")
		})
		b.Run(fmt.Sprintf("%s/many", name), func(b *testing.B) {
			b.SetParallelism(16)
			before := processorTime(b)
			b.RunParallel(func(next *testing.PB) {
				for next.Next() {
					ask(b, c, "GET", "/", "")
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
