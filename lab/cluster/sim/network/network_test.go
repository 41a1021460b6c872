package network_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-cleanhttp"

	"coalmine/lab/cluster/sim/network"
)

func install(t *testing.T) *network.Network {
	t.Helper()
	n, err := network.Install()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))),
		Request: r}, nil
}

func get(t *testing.T, c *http.Client, url string) (int, string, error) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

func TestDefaultTransportServesOnlyKnownHosts(t *testing.T) {
	n := install(t)
	remove := n.RegisterTransport("prometheus-1.coalmine", answer("ok"))
	for _, scheme := range []string{"http", "https"} {
		if _, body, err := get(t, http.DefaultClient, scheme+"://prometheus-1.coalmine:9090/x"); err != nil ||
			body != "ok" {
			t.Errorf("%s: %q, %v", scheme, body, err)
		}
	}
	remove()
	real := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the real server was reached")
	}))
	defer real.Close()
	for _, url := range []string{"http://prometheus-1.coalmine/", real.URL, "http://169.254.169.254/",
		"https://example.com/"} {
		if _, _, err := get(t, http.DefaultClient, url); !errors.Is(err, network.ErrBlocked) {
			t.Errorf("%s: %v, want ErrBlocked", url, err)
		}
	}
}

// Flagger clones the default transport for insecureSkipVerify; the clone loses the registered
// schemes.
func TestCloneFailsClosed(t *testing.T) {
	install(t)
	real := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the real server was reached")
	}))
	defer real.Close()
	clone := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	for _, url := range []string{real.URL, "http://prometheus-1.coalmine/", "https://example.com/"} {
		if _, _, err := get(t, clone, url); !errors.Is(err, network.ErrBlocked) {
			t.Errorf("%s: %v, want ErrBlocked", url, err)
		}
	}
}

// Flagger's webhooks use go-cleanhttp's transport.
func TestProxyServesOnlyKnownHosts(t *testing.T) {
	n := install(t)
	remove := n.RegisterHandler("gate-1.coalmine", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	client := cleanhttp.DefaultPooledClient()
	if status, body, err := get(t, client, "http://gate-1.coalmine/mtls"); err != nil || status != 200 ||
		body != "/mtls" {
		t.Errorf("gate: %d %q %v", status, body, err)
	}
	r, err := client.Get("http://gate-1.coalmine/mtls")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if !r.Close {
		t.Error("the connection stays open after the response, so a bubble would never be idle")
	}
	if _, _, err := get(t, client, "https://gate-1.coalmine/"); err == nil ||
		!strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("CONNECT to a gate: %v, want 403", err)
	}
	remove()
	for _, url := range []string{"http://gate-1.coalmine/mtls", "http://169.254.169.254/latest/meta-data",
		"http://example.com/", "http://10.0.0.1/"} {
		if status, body, err := get(t, client, url); err != nil || status != http.StatusForbidden {
			t.Errorf("%s: %d %q %v, want 403", url, status, body, err)
		}
	}
	if _, _, err := get(t, client, "https://example.com/"); err == nil {
		t.Error("a tunnel was opened")
	}
}

func TestProxyLimitsBodies(t *testing.T) {
	n := install(t)
	got := make(chan int64, 1)
	defer n.RegisterHandler("gate-2.coalmine", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		read, _ := io.Copy(io.Discard, r.Body)
		got <- read
	}))()
	r, err := cleanhttp.DefaultPooledClient().Post("http://gate-2.coalmine/events", "text/plain",
		strings.NewReader(strings.Repeat("x", 3<<20)))
	if err == nil {
		r.Body.Close()
	} // otherwise the connection was closed while the client was still sending
	if read := <-got; read != 1<<20 {
		t.Errorf("a handler read %d bytes of 3 MiB, want 1 MiB", read)
	}
}
