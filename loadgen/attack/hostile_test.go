package attack_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// listen starts a server that handles raw connections, which it need not close.
func listen(t *testing.T, serve func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

// ask reads a request; it returns false at the end.
func ask(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

// answering sends the same response to each request, and then calls after.
func answering(text string, after func(c net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		for r := bufio.NewReader(c); ask(r); {
			_, _ = io.WriteString(c, text)
			if after != nil {
				after(c)
				return
			}
		}
	}
}

// hold keeps a connection open until the client closes it.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func end(net.Conn) {}

// trickle sends a byte at a time until the client is gone.
func trickle(c net.Conn) {
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if _, err := c.Write([]byte("x")); err != nil {
			tick.Stop()
			return
		}
	}
}

func flood(text string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestHostileServers(t *testing.T) {
	// net/http logs unsolicited responses.
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	tests := map[string]struct {
		serve   func(c net.Conn)
		failure string
		status  uint16
		bytes   int64
	}{
		"resets at once":              {serve: reset, failure: "reset"},
		"closes at once":              {serve: end, failure: "reset"},
		"resets instead of an answer": {serve: answering("", reset), failure: "reset"},
		"resets amid the head":        {serve: answering("HTTP/1.1 200 OK\r\nX-Half: ", reset), failure: "reset"},
		"ends amid the body": {serve: answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", end),
			failure: "reset", bytes: 4},
		"ends amid a chunk": {serve: answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"9\r\nhalf", end), failure: "reset", bytes: 4},
		"never answers":       {serve: hold, failure: "timeout"},
		"never ends the head": {serve: answering("HTTP/1.1 200 OK\r\nX: ", hold), failure: "timeout"},
		"never ends the body": {serve: answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", hold),
			failure: "timeout", bytes: 4},
		"trickles the head": {serve: answering("HTTP/1.1 200 OK\r\nX: ", trickle), failure: "timeout"},
		"trickles the body": {serve: answering("HTTP/1.1 200 OK\r\n\r\n", trickle),
			failure: "timeout", bytes: -1},
		"says go on for ever": {serve: answering("",
			flood(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100))), failure: "protocol"},
		"answers garbage": {serve: answering("ceci n'est pas HTTP\r\n\r\n", nil), failure: "protocol"},
		"answers nonsense in chunks": {serve: answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"+
			"\r\nzzz\r\n", nil), failure: "protocol"},
		"sends headers without end": {serve: answering("HTTP/1.1 200 OK\r\n",
			flood("X-Long: "+strings.Repeat("x", 1000)+"\r\n")), failure: "protocol"},
		"switches to another protocol": {serve: answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"+
			"Connection: Upgrade\r\n\r\n", hold), failure: "protocol"},
		"sends a body without end": {serve: answering("HTTP/1.1 200 OK\r\n\r\n",
			flood(strings.Repeat("x", 1000))), failure: "timeout", bytes: -1},
		"redirects to nowhere": {serve: answering("HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n"+
			"Content-Length: 2\r\n\r\nno", nil), status: 302, bytes: 2},
		"redirects to itself": {serve: answering("HTTP/1.1 302 Found\r\nLocation: /\r\n"+
			"Content-Length: 2\r\n\r\nno", nil), status: 302, bytes: 2},
		"closes idle connections":  {serve: answering(whole, end), status: 200, bytes: 2},
		"resets idle connections":  {serve: answering(whole, reset), status: 200, bytes: 2},
		"closes by the word":       {serve: answering("HTTP/1.0 200 OK\r\n\r\nok", end), status: 200, bytes: 2},
		"says more than was asked": {serve: answering(whole+whole, nil), status: 200, bytes: 2},
		"answers before it was asked": {serve: func(c net.Conn) {
			_, _ = io.WriteString(c, whole)
			hold(c)
		}, failure: "-"},
		"has a status without a reason": {serve: answering("HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", nil),
			status: 299},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			leakFree(t)
			timeout := 10 * time.Second
			if test.failure == "timeout" || test.failure == "-" {
				timeout = 100 * time.Millisecond
			}
			p := newPlan(t, one(400, "GET"), 25*time.Millisecond)
			base := listen(t, test.serve)
			outcomes, report := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Timeout: timeout,
				Connections: 3})
			if n := len(arrivals(p, loadgen.Shard{})); len(outcomes) != n || report.Arrivals != n {
				t.Errorf("%d outcomes of %d arrivals", len(outcomes), n)
			}
			for _, o := range outcomes {
				if test.failure == "-" {
					continue // either, as the two race; it only matters that it ends
				}
				if o.Failure != test.failure || o.Status != test.status || test.bytes >= 0 &&
					o.BytesIn != test.bytes || o.Failed() != (test.status == 0) {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// TestRefusal closes the listener during the attack.
func TestRefusal(t *testing.T) {
	leakFree(t)
	p := newPlan(t, one(400, "GET"), 100*time.Millisecond)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	told := 0
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), Workers: 1, Done: func(o *loadgen.Outcome) {
		if told++; told == 10 {
			s.Close()
		}
	}})
	words := make(map[string]int)
	for i, o := range outcomes {
		words[o.Failure]++
		if i < 10 && o.Status != 200 || i > 12 && o.Failure != loadgen.FailureRefused {
			t.Errorf("attempt %d ended with %d %s", i, o.Status, o.Failure)
		}
	}
	if words[loadgen.FailureRefused] < len(outcomes)-13 {
		t.Errorf("failures %v", words)
	}
}

func TestTLSFailures(t *testing.T) {
	leakFree(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "ok")
	}))
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	trust := secure.Client().Transport.(*http.Transport).TLSClientConfig
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	mute := listen(t, hold)
	old := trust.Clone()
	old.MaxVersion = tls.VersionTLS10
	for name, test := range map[string]struct {
		base, failure string
		config        *tls.Config
	}{
		"unknown authority": {secure.URL, "tls", nil},
		"known authority":   {secure.URL, "", trust},
		"any authority":     {secure.URL, "", &tls.Config{InsecureSkipVerify: true}},
		"wrong name":        {secure.URL, "tls", &tls.Config{RootCAs: trust.RootCAs, ServerName: "example.org"}},
		"old version":       {secure.URL, "tls", old},
		"plain server":      {strings.Replace(plain, "http:", "https:", 1), "tls", nil},
		"no handshake":      {strings.Replace(mute, "http:", "https:", 1), "timeout", nil},
		// Go's server responds with 400
		"plain to TLS server": {strings.Replace(secure.URL, "https:", "http:", 1), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if test.failure == "timeout" {
				timeout = 100 * time.Millisecond
			}
			p := newPlan(t, one(400, "POST"), 20*time.Millisecond)
			outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, test.base), TLS: test.config,
				Timeout: timeout})
			for _, o := range outcomes {
				if o.Failure != test.failure {
					t.Fatalf("failure %q, status %d", o.Failure, o.Status)
				}
			}
		})
	}
}

func TestHTTP2(t *testing.T) {
	leakFree(t)
	type served struct{ protocol, peer string }
	requests := make(chan served, 1000)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- served{r.Proto, r.RemoteAddr}
		echo(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	p := newPlan(t, shop(100), length)
	for _, http2 := range []bool{false, true} {
		// Without connections in advance, the first requests open one each on a slow machine. Those of
		// HTTP/2 that are not needed are closed unused: one carries all requests.
		outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), TLS: trust, HTTP2: http2,
			Connections: -1})
		peers := make(map[string]bool)
		for _, o := range outcomes {
			status, version, _ := fate(o.Arrival.Seq)
			if int(o.Status) != status || o.Version != version {
				t.Errorf("%+v", o)
			}
			got := <-requests
			if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]; got.protocol != want {
				t.Fatalf("protocol %s, not %s", got.protocol, want)
			}
			peers[got.peer] = true
		}
		if http2 && len(peers) != 1 {
			t.Errorf("%d connections carried requests of HTTP/2", len(peers))
		}
	}
}

// TestHTTP2WithPriorKnowledge sends to a server that speaks nothing else.
func TestHTTP2WithPriorKnowledge(t *testing.T) {
	leakFree(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Protocol", r.Proto)
	}))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	s.Config.Protocols = &protocols
	s.Start()
	t.Cleanup(s.Close)
	p := newPlan(t, one(200, "GET"), length)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), HTTP2: true, VersionHeader: "X-Protocol"})
	for _, o := range outcomes {
		if o.Status != 200 || o.Version != "HTTP/2.0" {
			t.Fatalf("%+v", o)
		}
	}
}

func TestNoKeepAlive(t *testing.T) {
	leakFree(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	var opened atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	p := newPlan(t, one(200, "GET"), length)
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, s.URL), NoKeepAlive: true})
	if int(opened.Load()) != len(outcomes) {
		t.Errorf("%d connections for %d requests", opened.Load(), len(outcomes))
	}
}

// TestNoProxyFromTheEnvironment would send requests to a proxy.
func TestNoProxyFromTheEnvironment(t *testing.T) {
	leakFree(t)
	var astray witness
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { astray.see(r) })
	u, _ := url.Parse(proxy)
	p := newPlan(t, one(400, "GET"), 20*time.Millisecond)
	base := "http://coalmine.invalid"
	// The proxy is requested by name, because net/http bypasses it for loopback addresses.
	outcomes, _ := play(t, attack.Attack{Plan: p, Targets: at(t, p, base), Proxy: http.ProxyURL(u)})
	if len(astray.list) != len(outcomes) {
		t.Errorf("the proxy that was asked for saw %d of %d requests", len(astray.list), len(outcomes))
	}
	for _, o := range outcomes {
		if o.Status != 200 {
			t.Errorf("%+v", o)
		}
	}
}
