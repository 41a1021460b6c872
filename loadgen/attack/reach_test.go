package attack_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"coalmine/loadgen/attack"
)

func TestReach(t *testing.T) {
	leakFree(t)
	var saw witness
	see := func(w http.ResponseWriter, r *http.Request) { saw.see(r) }
	plain := serve(t, see)
	s := httptest.NewUnstartedServer(http.HandlerFunc(see))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	other := trust.Clone()
	other.ServerName = "example.org"
	for name, test := range map[string]struct {
		target string
		config *tls.Config
		want   []string // in the error; none for no error
	}{
		"plain":    {plain + "/shop", nil, nil},
		"secure":   {s.URL, trust, nil},
		"insecure": {s.URL, &tls.Config{InsecureSkipVerify: true}, nil},
		"refused": {"http://127.0.0.1:1/x", nil,
			[]string{"http://127.0.0.1:1", "nothing listens on port 1", "check that the service is running"}},
		"unknown authority": {s.URL, nil, []string{s.URL, "--ca", "--insecure"}},
		"wrong name":        {s.URL, other, []string{"certificate is not valid for", "--insecure"}},
		"no TLS": {strings.Replace(plain, "http:", "https:", 1), nil,
			[]string{"does not speak TLS", "http://"}},
		"hangs up": {strings.Replace(listen(t, end), "http:", "https:", 1), nil,
			[]string{"the connection was reset"}},
		"no scheme": {"localhost:80", nil, []string{"http:// or https://"}},
		"no host":   {"http:///x", nil, []string{"has no host"}},
		"query":     {"http://localhost?x=1", nil, []string{"remove query"}},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(test.target)
			if err != nil {
				t.Fatal(err)
			}
			err = attack.Attack{Targets: []*url.URL{u, u}, TLS: test.config}.Reach(t.Context())
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if err != nil && strings.Count(err.Error(), "\n") > 0 && name != "no scheme" && name != "no host" &&
				name != "query" {
				t.Errorf("one host was named twice: %v", err)
			}
		})
	}
	if len(saw.list) > 0 {
		t.Errorf("a server saw %d requests", len(saw.list))
	}
}

func TestReachNamesEveryTarget(t *testing.T) {
	leakFree(t)
	ok, _ := url.Parse(serve(t, func(http.ResponseWriter, *http.Request) {}))
	one, _ := url.Parse("http://127.0.0.1:1")
	two, _ := url.Parse("http://127.0.0.1:2")
	err := attack.Attack{Targets: []*url.URL{one, ok, two}}.Reach(t.Context())
	if err == nil || !strings.Contains(err.Error(), ":1:") || !strings.Contains(err.Error(), ":2:") ||
		strings.Contains(err.Error(), ok.Host) {
		t.Errorf("error %v", err)
	}
}

func TestReachEndsWithItsContext(t *testing.T) {
	leakFree(t)
	u, _ := url.Parse(strings.Replace(listen(t, hold), "http:", "https:", 1))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (attack.Attack{Targets: []*url.URL{u}}).Reach(ctx); err == nil ||
		!strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("error %v", err)
	}
}
