package loadtester

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseCommand(t *testing.T) {
	for line, want := range map[string]string{
		"hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/": "" +
			"GET http://podinfo-canary.test:9898/, 20/s for 1m0s, 2 at a time",
		"hey http://a.b/": "" +
			"GET http://a.b/, as fast as they are answered for 200 requests, 50 at a time",
		"hey -n 10 -c 5 -m POST -host app.example.com -H 'Cookie: type=insider' http://a/x": "" +
			"POST http://a/x, as fast as they are answered for 10 requests, 5 at a time",
		"hey -z=30s -q=5 -c=1 -h2 -d '{\"test\": \"$true\"}' https://a/": "" +
			"GET https://a/, 5/s for 30s, 1 at a time",
		"/usr/bin/wrk -t4 -c100 -d30s --latency http://a/": "" +
			"GET http://a/, as fast as they are answered for 30s, 100 at a time",
		"wrk2 -t2 -c10 -d 30 -R 200 http://a/": "" +
			"GET http://a/, 200/s for 30s, 10 at a time",
		"ab -n 1000 -c 10 http://a/": "" +
			"GET http://a/, as fast as they are answered for 1000 requests, 10 at a time",
		"k6 run --vus 10 --duration 1m -e URL=http://a/ script.js": "" +
			"GET http://a/, as fast as they are answered for 1m0s, 10 at a time",
		"curl -s http://a:9898/token | jq .token": "" +
			"GET http://a:9898/token, as fast as they are answered for 1 requests, 1 at a time",
		"hey -z 1m \\\n  -c 1 a.test:80/healthz": "" +
			"GET http://a.test:80/healthz, as fast as they are answered for 1m0s, 1 at a time",
		"hey -z 2h -c 1 http://a/": "" +
			"GET http://a/, as fast as they are answered for 1h0m0s, 1 at a time",
	} {
		loads, err := ParseCommand(line)
		if err != nil || len(loads) != 1 || loads[0].String() != want {
			t.Errorf("%s: got %v, %v, want %s", line, loads, err, want)
		}
	}
}

func TestParseSeveralCommands(t *testing.T) {
	loads, err := ParseCommand("hey -z 1m -c 1 http://a/ && hey -z 1m -c 1 http://b/; curl http://c/")
	if err != nil || len(loads) != 3 || loads[2].URL.Host != "c" {
		t.Errorf("got %v, %v", loads, err)
	}
	if l := loads[0]; l.Tool != "hey" || l.Duration != time.Minute || l.Requests != 0 {
		t.Errorf("got %+v", l)
	}
}

func TestCommandsThatAreNotUnderstood(t *testing.T) {
	for line, want := range map[string]string{
		"":                                    "no command",
		"ghz --insecure podinfo:9898":         "ghz is none of",
		"hey -z 1m":                           "no URL",
		"hey -z soon http://a/":               "not a duration",
		"hey -z":                              "has no value",
		"hey --frobnicate http://a/":          "flag --frobnicate is not understood",
		"hey -q -1 http://a/":                 "not a rate",
		"hey -n 0 http://a/":                  "nothing is sent",
		"hey -c 0 http://a/":                  "out of range",
		"hey http://$HOST/":                   "of a shell",
		"hey \"http://`hostname`/\"":          "of a shell",
		"hey 'http://a/":                      "not closed",
		"k6 run script.js":                    "no URL",
		"hey ftp://a/":                        "is not a URL",
		"hey -x proxy:80 http://a/":           "does not support",
		"hey -H nocolon http://a/":            "NAME: VALUE",
		"hey -n 1 http://a/ && frob http://b": "frob is none of",
	} {
		if loads, err := ParseCommand(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want an error with %q", line, loads, err, want)
		}
	}
}

func TestOnlySends(t *testing.T) {
	for line, want := range map[string]bool{
		"curl -sf http://backend-canary.develop/":                     true,
		"hey -n 10 http://a/ && curl -s 'http://a/?x=1|2'":            true,
		"curl -s http://backend-canary.develop/token | grep token":    false,
		`[ $(curl -so /dev/null -w '%{http_code}' http://a/) = 200 ]`: false,
		"test -f /tmp/ok": false,
	} {
		if got := OnlySends(line); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add("hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/")
	f.Add(`curl -d '{"a": "b\"c"}' http://a/ | grep x && ab -n1 "http://b/"`)
	f.Fuzz(func(t *testing.T, line string) {
		loads, err := ParseCommand(line)
		if err != nil {
			return
		}
		for _, l := range loads {
			if l.URL == nil || l.Workers < 1 || l.Workers > maxWorkers || l.Duration > maxDuration ||
				(l.Requests > 0) == (l.Duration > 0) {
				t.Errorf("%q: %+v", line, l)
			}
		}
	})
}

const body = `{"name": "app", "namespace": "test", "phase": "Progressing", "metadata": {}}`

// Statuses and bodies are those of flagger, pkg/loadtester/server.go.
func TestGates(t *testing.T) {
	approved := false
	s := &Server{Approved: func() bool { return approved }}
	for i, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/gate/approve", 200, "OK"},
		{"/gate/halt", 403, "Forbidden"},
		{"/gate/check", 403, "Forbidden"},
		{"/gate/open", 202, ""},
		{"/gate/check", 200, "Approved"},
		{"/rollback/check", 403, "Forbidden"},
		{"/gate/close", 202, ""},
		{"/gate/check", 403, "Forbidden"},
		{"/rollback/open", 202, ""},
		{"/rollback/check", 200, "Approved"},
		{"/rollback/close", 202, ""},
		{"/rollback/check", 403, "Forbidden"},
		{"/healthz", 200, "OK"},
	} {
		a := s.Call(c.path, []byte(body))
		if a.Kind != KindGate || a.Status != c.status || a.Body != c.body || a.Passed() != (c.status <= 202) {
			t.Errorf("%d: %s: got %+v", i, c.path, a)
		}
	}
	approved = true
	if s.Call("/gate/check", []byte(body)).Passed() {
		t.Error("the approval opens a gate that was closed after")
	}
	other := []byte(`{"name": "other", "namespace": "test"}`)
	if !s.Call("/gate/check", other).Passed() || s.Call("/rollback/check", other).Passed() {
		t.Error("the approval must open the gate and not ask for a rollback")
	}
}

func TestTasks(t *testing.T) {
	for _, c := range []struct {
		metadata string
		kind     string
		status   int
	}{
		{`{"cmd": "hey -z 1m http://a/"}`, KindLoad, http.StatusAccepted},
		{`{"type": "cmd", "cmd": "ghz a"}`, KindLoad, http.StatusAccepted},
		{`{"type": "bash", "cmd": "curl -sf http://a/"}`, KindTask, http.StatusOK},
		{`{"type": "helm", "cmd": "test a"}`, KindTask, http.StatusOK},
		{`{"type": "cmd"}`, kindRefused, http.StatusBadRequest},
		{`{"type": "make"}`, kindRefused, http.StatusBadRequest},
		{`{"type": "ngrinder"}`, kindRefused, http.StatusBadRequest},
		{`{}`, kindRefused, http.StatusBadRequest},
	} {
		var s Server
		a := s.Call("/", []byte(`{"name": "app", "metadata": `+c.metadata+`}`))
		if a.Kind != c.kind || a.Status != c.status {
			t.Errorf("%s: got %+v", c.metadata, a)
		}
	}
	if a := new(Server).Call("/", []byte("no JSON")); a.Status != http.StatusBadRequest {
		t.Errorf("got %+v", a)
	}
}
