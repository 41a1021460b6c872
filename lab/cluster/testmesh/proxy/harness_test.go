package proxy_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"coalmine/lab/cluster/testmesh/proxy"
	"coalmine/lab/cluster/testmesh/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testMesh is a mesh in one process: pods with proxies, a control plane, and a network between them
// that redirects as nftables would.
type testMesh struct {
	t      testing.TB
	anchor authority
	// dir has the files that proxies read.
	dir     string
	control *httptest.Server
	link    net.Listener
	linking sync.Mutex

	mu       sync.Mutex
	snapshot wire.Snapshot
	changed  chan struct{}
	pods     map[netip.Addr]*pod
	// life is the lifetime of certificates.
	life time.Duration
	// certified counts certificates; away makes the control plane answer nothing.
	certified int
	away      bool
	tune      func(*proxy.Config)
	// followed has the generation that each proxy has reached, by the name of its pod.
	followed map[string]uint64
}

// pod is a pod of the test mesh.
type pod struct {
	wire.Pod
	testMesh *testMesh
	// outbound, inbound and admin are the proxy's listeners for redirected connections, by port.
	doors map[int]*mailbox
	// services are real addresses by the port of the pod.
	services map[int]string
	down     bool
	stop     func()
}

func newTestMesh(t testing.TB) *testMesh {
	t.Helper()
	link, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &testMesh{t: t, link: link, dir: t.TempDir(), changed: make(chan struct{}), pods: map[netip.Addr]*pod{},
		followed: map[string]uint64{}, life: 24 * time.Hour, anchor: newAuthority(t)}
	w.write("ca.crt", w.anchor.pem)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathIdentity, w.certify)
	mux.HandleFunc("GET "+wire.PathConfig, w.config)
	w.control = httptest.NewUnstartedServer(mux)
	key := newKey(t)
	w.control.TLS = &tls.Config{Certificates: []tls.Certificate{{
		PrivateKey: key, Certificate: [][]byte{w.anchor.sign(t, &key.PublicKey, time.Hour, "control.test")},
	}}}
	w.control.StartTLS()
	t.Cleanup(func() {
		w.control.Close()
		link.Close()
	})
	return w
}

func (w *testMesh) write(name string, text []byte) {
	if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// change changes the snapshot.
func (w *testMesh) change(f func(*wire.Snapshot)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.snapshot)
	w.snapshot.Generation++
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *testMesh) config(out http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer the token of ")
	w.mu.Lock()
	w.followed[name] = after
	w.mu.Unlock()
	for {
		w.mu.Lock()
		body, err := json.Marshal(w.snapshot)
		generation, changed, away := w.snapshot.Generation, w.changed, w.away
		w.mu.Unlock()
		switch {
		case err != nil || away || !ok:
			http.Error(out, "not now", http.StatusServiceUnavailable)
			return
		case generation > after:
			_, _ = out.Write(body)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func (w *testMesh) certify(out http.ResponseWriter, r *http.Request) {
	var ask wire.CertifyRequest
	w.mu.Lock()
	w.certified++
	life, away := w.life, w.away
	w.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || away {
		http.Error(out, "not now", http.StatusServiceUnavailable)
		return
	}
	block, _ := pem.Decode([]byte(ask.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		http.Error(out, "no request", http.StatusBadRequest)
		return
	}
	leaf := w.anchor.sign(w.t, csr.PublicKey.(*ecdsa.PublicKey), life, csr.DNSNames...)
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	_ = json.NewEncoder(out).Encode(wire.CertifyResponse{Chain: string(chain)})
}

// service adds a Service whose port 80 goes to 8080 of the pods of an app.
func (w *testMesh) service(name, app string) netip.Addr {
	var ip netip.Addr
	w.change(func(s *wire.Snapshot) {
		ip = netip.AddrFrom4([4]byte{10, 96, 0, byte(len(s.Services) + 1)})
		s.Services = append(s.Services, wire.Service{
			Name: name, Namespace: "develop", ClusterIP: ip, Selector: map[string]string{"app": app},
			Ports: []wire.Port{{Port: 80, Target: 8080}},
		})
	})
	return ip
}

// add makes a pod, with a proxy if it is meshed.
func (w *testMesh) add(name, app string, meshed bool) *pod {
	w.t.Helper()
	w.mu.Lock()
	n := len(w.pods) + 2
	w.mu.Unlock()
	d := &pod{testMesh: w, doors: map[int]*mailbox{}, services: map[int]string{}, Pod: wire.Pod{
		Name: name, Namespace: "develop", IP: netip.AddrFrom4([4]byte{10, 244, 0, byte(n)}), ServiceAccount: app,
		Deployment: app,
		Labels:     map[string]string{"app": app, "pod-template-hash": "hash" + app}, Ready: true, Meshed: meshed,
	}}
	w.mu.Lock()
	w.pods[d.IP] = d
	w.mu.Unlock()
	if meshed {
		d.start()
	}
	w.tell(d)
	return d
}

// tell adds a pod to the snapshot, or updates it there.
func (w *testMesh) tell(d *pod) {
	w.change(func(s *wire.Snapshot) {
		list := make([]wire.Pod, 0, len(s.Pods)+1)
		for _, p := range s.Pods {
			if p.Name != d.Name {
				list = append(list, p)
			}
		}
		s.Pods = append(list, d.Pod)
	})
}

// remove removes a pod from the snapshot; its processes go on.
func (w *testMesh) remove(d *pod) {
	w.change(func(s *wire.Snapshot) {
		var list []wire.Pod
		for _, p := range s.Pods {
			if p.Name != d.Name {
				list = append(list, p)
			}
		}
		s.Pods = list
	})
}

// start runs the pod's proxy until the test ends or stop is called.
func (d *pod) start() {
	d.testMesh.write("token-"+d.Name, []byte("the token of "+d.Name+"\n"))
	control, _ := url.Parse("https://control.test:8443")
	cfg := proxy.Config{
		Pod: d.Name, Namespace: d.Namespace, ServiceAccount: d.ServiceAccount, IP: d.IP, Control: control, Seed: 7,
		TokenFile: filepath.Join(d.testMesh.dir, "token-"+d.Name), RootsFile: filepath.Join(d.testMesh.dir, "ca.crt"),
		Listen: d.listen, Dial: d.dial,
		OriginalDestination: func(c net.Conn) (netip.AddrPort, error) {
			if w, ok := c.(*wired); ok && w.dst.IsValid() {
				return w.dst, nil
			}
			return netip.AddrPort{}, errors.New("not redirected")
		},
	}
	if d.testMesh.tune != nil {
		d.testMesh.tune(&cfg)
	}
	p, err := proxy.New(cfg)
	if err != nil {
		d.testMesh.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	for _, port := range []int{4140, 4143, 4191} {
		d.doors[port] = newMailbox()
	}
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				d.testMesh.t.Error(err)
			}
		})
	}
	d.testMesh.t.Cleanup(d.stop)
}

// ready waits until the pod's proxy is ready and has the newest snapshot.
func (d *pod) ready() {
	d.testMesh.t.Helper()
	d.eventually("ready", func() bool {
		r, err := d.admin("/ready")
		return err == nil && r == "ready\n"
	})
	d.follow()
}

// follow waits until the pod's proxy has the newest snapshot: it polls for one after that.
func (d *pod) follow() {
	d.testMesh.t.Helper()
	d.eventually("following", func() bool {
		d.testMesh.mu.Lock()
		defer d.testMesh.mu.Unlock()
		return d.testMesh.followed[d.Name] >= d.testMesh.snapshot.Generation
	})
}

// eventually waits for a condition that other goroutines bring about.
func (d *pod) eventually(what string, is func() bool) {
	d.testMesh.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			d.testMesh.t.Fatalf("%s: %s did not come about", d.Name, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (d *pod) admin(path string) (string, error) {
	conn, err := d.testMesh.wire(d.doors[4191], netip.AddrPort{}, d.IP)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n", path)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// serve runs a service on a port of the pod.
func (d *pod) serve(port int, h http.HandlerFunc) *pod {
	s := httptest.NewServer(h)
	d.testMesh.t.Cleanup(s.Close)
	d.testMesh.mu.Lock()
	defer d.testMesh.mu.Unlock()
	d.services[port] = s.Listener.Addr().String()
	return d
}

// greet runs a service on port 8080 that responds with the pod's name.
func (d *pod) greet() *pod {
	return d.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Pod", d.Name)
		w.Header().Set("Client", r.Header.Get("L5d-Client-Id"))
		fmt.Fprintf(w, "%s %s %s", d.Name, r.URL, body)
	})
}

func (d *pod) listen(_ context.Context, _, address string) (net.Listener, error) {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	if host == "::1" {
		return nil, errors.New("no IPv6 here")
	}
	return d.doors[n], nil
}

// dial connects for the pod's proxy.
func (d *pod) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(portText)
	switch host {
	case "control.test":
		return (&net.Dialer{}).DialContext(ctx, "tcp", d.testMesh.control.Listener.Addr().String())
	case "127.0.0.1":
		return d.reach(port)
	}
	return d.testMesh.dial(d.IP, netip.MustParseAddrPort(address))
}

// reach connects to a service of the pod.
func (d *pod) reach(port int) (net.Conn, error) {
	d.testMesh.mu.Lock()
	at := d.services[port]
	d.testMesh.mu.Unlock()
	if at == "" {
		return nil, syscall.ECONNREFUSED
	}
	return net.Dial("tcp", at)
}

// dial connects to a pod from an address. Pods with proxies redirect the connection.
func (w *testMesh) dial(from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	d := w.pods[to.Addr()]
	refused := d == nil || d.down
	w.mu.Unlock()
	switch {
	case refused:
		return nil, syscall.ECONNREFUSED
	case d.Meshed && d.SkipInbound != strconv.Itoa(int(to.Port())) && from != d.IP:
		return w.wire(d.doors[4143], to, from)
	}
	return d.reach(int(to.Port()))
}

// out connects from a process in the pod, which its proxy intercepts.
func (d *pod) out(to netip.AddrPort) (net.Conn, error) {
	return d.testMesh.wire(d.doors[4140], to, d.IP)
}

// wire passes a TCP connection to a listener.
func (w *testMesh) wire(to *mailbox, dst netip.AddrPort, from netip.Addr) (net.Conn, error) {
	w.linking.Lock()
	defer w.linking.Unlock()
	near, err := net.Dial("tcp", w.link.Addr().String())
	if err != nil {
		return nil, err
	}
	far, err := w.link.Accept()
	if err != nil {
		near.Close()
		return nil, err
	}
	select {
	case to.conns <- &wired{far.(*net.TCPConn), dst, from}:
		return near, nil
	case <-to.closed:
		near.Close()
		far.Close()
		return nil, syscall.ECONNREFUSED
	}
}
