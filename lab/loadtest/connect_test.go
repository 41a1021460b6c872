package loadtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/loadtest"
)

// writeClientPair writes a certificate that signs itself, and its key.
func writeClientPair(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestClientCertificate(t *testing.T) {
	o := options(t)
	o.Plan.Duration = 100 * time.Millisecond
	pool := x509.NewCertPool()
	pool.AddCert(writeClientPair(t, o.Dir))
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	web.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	web.StartTLS()
	defer web.Close()
	o.Target.URLs, o.Target.Insecure, o.Target.Cert = []string{web.URL}, true, "cert.pem"
	var in *input.Error
	if _, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore); !errors.As(err, &in) {
		t.Errorf("a certificate without a key: error %v", err)
	}
	o.Target.Key = "key.pem"
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	if all := r.Results.Sum(nil); all.Bad > 0 || all.Requests == 0 {
		t.Errorf("%d of %d bad: %v", all.Bad, all.Requests, r.Results.Errors)
	}
}

func TestConnectToASocket(t *testing.T) {
	o := options(t)
	o.Plan.Duration = 100 * time.Millisecond
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	hosts := make(chan string, 1000)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
	}))
	web.Listener = l
	web.Start()
	defer web.Close()
	o.Target.URLs, o.Target.ConnectTo = []string{"http://shop.test"}, []string{"shop.test:80=unix:" + path}
	r, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	if host := <-hosts; host != "shop.test" {
		t.Errorf("host %s", host)
	}
	for value, want := range map[string]string{
		"shop.test=unix:x": "cannot be used", "shop.test:80": "cannot be used", "a:1=unix:": "cannot be used",
	} {
		o.Target.ConnectTo = []string{value}
		_, err := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
		var in *input.Error
		if !errors.As(err, &in) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", value, err)
		}
	}
}

// TestWait starts a test before its target.
func TestWait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	web.Listener.Close()
	o := options(t)
	o.Plan.Duration, o.Target.URLs, o.Target.Wait = 50*time.Millisecond, []string{"http://" + address}, time.Minute
	started := make(chan error, 1)
	go func() {
		web.Listener, err = net.Listen("tcp", address)
		if err == nil {
			web.Start()
		}
		started <- err
	}()
	r, runErr := newTest(t, "browse", o).Run(t.Context(), "test", io.Discard, ignore)
	if err := <-started; err != nil {
		t.Skip(err) // another process has the port
	}
	defer web.Close()
	if runErr != nil || r.Err != nil {
		t.Fatal(runErr, r.Err)
	}
}

func TestParseTargetOfASocket(t *testing.T) {
	for _, text := range []string{"unix:/x", "unix:///x", "http+unix://%2Fx"} {
		if _, err := loadtest.ParseTarget(text); err == nil || !strings.Contains(err.Error(), "--connect-to") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
