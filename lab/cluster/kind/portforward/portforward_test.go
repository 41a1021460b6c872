package portforward_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/portforward"
)

// cluster is an API server with one Service, whose pods are HTTP servers that answer with their
// name. It supports SPDY only.
type cluster struct {
	t      *testing.T
	server *httptest.Server

	mu    sync.Mutex
	pods  map[string]*httptest.Server
	ways  []httpstream.Connection
	ports []string // requested
}

func newCluster(t *testing.T, pods ...string) *cluster {
	c := &cluster{t: t, pods: map[string]*httptest.Server{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/viz/services/prometheus", func(w http.ResponseWriter, _ *http.Request) {
		write(w, corev1.Service{TypeMeta: metav1.TypeMeta{Kind: "Service", APIVersion: "v1"}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "p"},
			Ports:    []corev1.ServicePort{{Port: 9090, TargetPort: intstr.FromString("admin")}},
		}})
	})
	mux.HandleFunc("GET /api/v1/namespaces/viz/pods", c.list)
	mux.HandleFunc("POST /api/v1/namespaces/viz/pods/{name}/portforward", c.forward)
	c.server = httptest.NewServer(mux)
	t.Cleanup(c.server.Close)
	for _, name := range pods {
		c.start(name)
	}
	return c
}

func write(w http.ResponseWriter, o any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o)
}

func (c *cluster) list(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	if r.URL.Query().Get("labelSelector") == "app=p" {
		for name := range c.pods {
			list.Items = append(list.Items, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "viz"},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "admin",
					ContainerPort: 9999}}}}},
				Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady,
					Status: corev1.ConditionTrue}}},
			})
		}
	}
	write(w, list)
}

func (c *cluster) start(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[name] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, name)
	}))
	c.t.Cleanup(c.pods[name].Close)
}

// remove deletes a pod. Connections to it stay, as they do while the API server is connected to the
// kubelet.
func (c *cluster) remove(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[name].Close()
	delete(c.pods, name)
}

// cut breaks all connections to pods.
func (c *cluster) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, way := range c.ways {
		_ = way.Close()
	}
	c.ways = nil
}

// forward is the kubelet's side of port-forward (kubernetes,
// pkg/kubelet/server/portforward/httpstream.go).
func (c *cluster) forward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 10)
	way := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if way == nil {
		return
	}
	c.mu.Lock()
	c.ways = append(c.ways, way)
	c.mu.Unlock()
	failed := map[string]httpstream.Stream{}
	for {
		select {
		case <-way.CloseChan():
			return
		case s := <-streams:
			id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failed[id] = s
				continue
			}
			go c.copy(r.PathValue("name"), s, failed[id])
		}
	}
}

func (c *cluster) copy(name string, data, failed httpstream.Stream) {
	defer data.Close()   //nolint:errcheck // a test
	defer failed.Close() //nolint:errcheck // a test
	c.mu.Lock()
	p := c.pods[name]
	c.ports = append(c.ports, data.Headers().Get(corev1.PortHeader))
	c.mu.Unlock()
	if p == nil {
		_, _ = fmt.Fprintf(failed, "pod %s is gone", name)
		return
	}
	conn, err := net.Dial("tcp", p.Listener.Addr().String())
	if err != nil {
		_, _ = fmt.Fprint(failed, err)
		return
	}
	defer conn.Close() //nolint:errcheck // a test
	go func() {
		_, _ = io.Copy(conn, data)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(data, conn)
}

func (c *cluster) open(t *testing.T) *portforward.Forwarder {
	t.Helper()
	tun, err := portforward.Open(context.Background(), &rest.Config{Host: c.server.URL}, "viz", "prometheus", 9090)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tun.Close() })
	return tun
}

// ask sends a request on a new connection.
func ask(tun *portforward.Forwarder, body string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(tun.URL(), "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // a test
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}

func TestForward(t *testing.T) {
	c := newCluster(t, "prometheus-1")
	tun := c.open(t)
	large := strings.Repeat("x", 1<<20)
	for range 3 {
		if got, err := ask(tun, large); err != nil || got != large+"prometheus-1" {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ways) != 1 {
		t.Errorf("%d connections to the API server for four requests, want 1", len(c.ways))
	}
	for _, p := range c.ports {
		if p != "9999" {
			t.Errorf("port %s of the pod, want the one that the Service's target port names", p)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	tun := newCluster(t, "p").open(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprint(i%10), 1000+i)
			if got, err := ask(tun, body); err != nil || got != body+"p" {
				t.Errorf("request %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestBrokenConnectionIsReplaced(t *testing.T) {
	c := newCluster(t, "p")
	tun := c.open(t)
	for range 3 {
		c.cut()
		// Only a pending request may notice the break.
		got, err := ask(tun, "")
		if err != nil {
			got, err = ask(tun, "")
		}
		if err != nil || got != "p" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestNextPodAfterDeletion(t *testing.T) {
	c := newCluster(t, "old")
	tun := c.open(t)
	if got, err := ask(tun, ""); err != nil || got != "old" {
		t.Fatalf("%q, %v", got, err)
	}
	c.start("young")
	c.remove("old")
	got, err := ask(tun, "")
	if err == nil {
		t.Fatalf("%q from a pod that is gone", got)
	}
	if got, err = ask(tun, ""); err != nil || got != "young" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDisconnectDoesNotAffectOthers(t *testing.T) {
	c := newCluster(t, "p")
	tun := c.open(t)
	conn, err := net.Dial("tcp", tun.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(tun, ""); err != nil || got != "p" {
		t.Errorf("%q, %v", got, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ways) != 1 {
		t.Errorf("%d connections to the API server, want 1", len(c.ways))
	}
}

func TestOpenErrors(t *testing.T) {
	c := newCluster(t)
	for want, x := range map[string]struct {
		namespace, service string
		port               int
	}{
		"none of the Service's 0 pods is ready": {"viz", "prometheus", 9090},
		"has no port 80":                        {"viz", "prometheus", 80},
		"port-forward to other.viz:9090":        {"viz", "other", 9090},
	} {
		tun, err := portforward.Open(context.Background(), &rest.Config{Host: c.server.URL}, x.namespace, x.service,
			x.port)
		if err == nil {
			_ = tun.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestCloseEndsConnections(t *testing.T) {
	tun := newCluster(t, "p").open(t)
	conn, err := net.Dial("tcp", tun.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test
	if err := tun.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlives the forwarder")
	}
}
