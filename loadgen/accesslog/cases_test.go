package accesslog_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/loadgen/accesslog"
)

// TestCases reads logs that are easily misread: as few users, too many, or other paths.
func TestCases(t *testing.T) {
	const shop = "/a /a /b /c?x=1 /b /a"
	for file, want := range map[string]struct {
		targets, clients string
		span             time.Duration
	}{
		"caddy-status-0.json":     {"/a /a", "192.0.2.1", time.Second},
		"clf-msec.log":            {"/a", "192.0.2.1", 0},
		"cri-nginx.log":           {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"first-line-combined.log": {"/a /a /a /a", "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", 4 * time.Second},
		"ingress-nginx-old.log":   {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"logstash-grok.json":      {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"syslog-nginx.log":        {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"vhost-is-address.log":    {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"xff-behind-proxy.log":    {"/a /a /a", "192.0.2.1 192.0.2.2 192.0.2.3", 2 * time.Second},
		"envoy-default.log":       {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"cri-istio-text.log":      {shop, "192.0.2.1 192.0.2.2 192.0.2.3", 10 * time.Second},
		"python-http-server.log":  {"/a", "192.0.2.1", 0},
		"haproxy-clf.log":         {"/a /a /a", "192.0.2.1 192.0.2.2 192.0.2.3", 2 * time.Second},
		"three-agents.log":        {"/a /a /a", "192.0.2.1 192.0.2.2 192.0.2.3", 2 * time.Second},
		"one-year-gap.log":        {"/a /a", "192.0.2.1", 365 * 24 * time.Hour},
		"long-path.log":           {"/a /" + strings.Repeat("a", 1000), "192.0.2.1", time.Second},
	} {
		data, err := os.ReadFile(filepath.Join("testdata/cases", file))
		if err != nil {
			t.Fatal(err)
		}
		log, err := accesslog.Read(strings.NewReader(string(data)), "")
		if err != nil || log.Broken.Count > 0 {
			t.Errorf("%s: error %v, broken %v", file, err, log.Broken)
			continue
		}
		var targets, clients []string
		for _, l := range log.Lines {
			targets = append(targets, l.Target)
			if !strings.Contains(strings.Join(clients, " ")+" ", l.Client+" ") {
				clients = append(clients, l.Client)
			}
		}
		span := log.Lines[len(log.Lines)-1].At.Sub(log.Lines[0].At)
		if got := strings.Join(targets, " "); got != want.targets {
			t.Errorf("%s: targets %s", file, got)
		}
		if got := strings.Join(clients, " "); got != want.clients || span != want.span {
			t.Errorf("%s: clients %s, span %v", file, got, span)
		}
	}
}

// TestClients reads lines of servers behind proxies: the client is the first address that a proxy
// was told, wherever the format has it.
func TestClients(t *testing.T) {
	const middle = `[07/Mar/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"`
	for line, want := range map[string]string{
		`10.0.0.1 - - ` + middle + ` "203.0.113.9"`:                     "203.0.113.9",
		`10.0.0.1 - - ` + middle + ` 0.005 "203.0.113.9"`:               "203.0.113.9",
		`10.0.0.1 - - ` + middle + ` "0.005" "203.0.113.9, 10.0.0.9"`:   "203.0.113.9",
		`10.0.0.1 - - ` + middle + ` "unknown, 203.0.113.9"`:            "203.0.113.9",
		`10.0.0.1 - - ` + middle + ` rt=0.005 xff="2001:db8::1"`:        "2001:db8::1",
		`10.0.0.1 - - ` + middle + ` "-"`:                               "10.0.0.1",
		`10.0.0.1 - - ` + middle + ` "10.9.9.9:8080"`:                   "10.0.0.1",
		`10.0.0.1 - - ` + middle + ` upstream="10.9.9.9"`:               "10.0.0.1",
		`10.0.0.1 - - ` + middle + ` "shop" "203.0.113.9`:               "10.0.0.1",
		`203.0.113.9, 10.0.0.1 - - ` + middle:                           "203.0.113.9",
		`"203.0.113.9, 10.0.0.1" - - ` + middle:                         "203.0.113.9",
		`203.0.113.9 (10.0.0.1) - - ` + middle:                          "203.0.113.9",
		`[pod/web-1/nginx] 203.0.113.9 - - ` + middle:                   "203.0.113.9",
		`shop.example client9.example - - ` + middle:                    "client9.example",
		`{"log":` + strconv.Quote("203.0.113.9 - - "+middle+"\n") + `}`: "203.0.113.9",
		`{"message":` + strconv.Quote("203.0.113.9 - - "+middle) + `}`:  "203.0.113.9",
		`{"time":"2026-03-07T13:00:00Z","time_local":"07/Mar/2026:12:00:00 +0000","request":"GET /a HTTP/1.1",` +
			`"remote_addr":"203.0.113.9"}`: "203.0.113.9",
		// Without a response the client gave up.
		`{"start_time":"2026-03-07T12:00:00Z","method":"GET","path":"/a","response_code":0,` +
			`"downstream_remote_address":"203.0.113.9:1"}`: "203.0.113.9",
		`{"started_at":1772884800000,"request":{"method":"GET","uri":"/a"},"client_ip":"203.0.113.9"}`: "203.0.113.9",
	} {
		log, err := accesslog.Read(strings.NewReader(line), "")
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		l := log.Lines[0]
		if at := l.At.Format("15:04:05"); l.Client != want || l.User != "" || l.Target != "/a" || at != "12:00:00" {
			t.Errorf("%s: %+v, want client %s", line, l, want)
		}
	}
}

// Logstash keeps the quotes of agents and referers.
func TestQuotedAgent(t *testing.T) {
	log, err := accesslog.Read(strings.NewReader(`{"timestamp":"07/Mar/2026:12:00:00 +0000","verb":"GET",`+
		`"request":"/a","agent":"\"Firefox/1\"","referrer":"\"-\"","clientip":"192.0.2.1"}`), "")
	if err != nil || log.Lines[0].UserAgent != "Firefox/1" || log.Lines[0].Referer != "" {
		t.Errorf("error %v, %+v", err, log.Lines)
	}
}

// TestProxyTexts reads what else the text formats of proxies may have, and refuses what only looks like
// them.
func TestProxyTexts(t *testing.T) {
	const (
		istio = `[2026-03-07T12:00:00.000Z] "GET /a HTTP/1.1" 503 UF via_upstream - "-" 0 91 1 - "-" "-" "id" ` +
			`"shop" "10.1.1.1:80" outbound|80||shop - 10.0.0.9:80 203.0.113.9:5044 - default`
		alb = `https 2026-03-07T12:00:01.5Z app/lb/1 203.0.113.9:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 ` +
			`"GET https://shop.example:443/a?b=c HTTP/1.1" "curl/8.9" ECDHE TLSv1.2 arn:aws:tg "Root=1" "d" "c" 1 ` +
			`2026-03-07T12:00:00.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`
	)
	for text, want := range map[string]accesslog.Line{
		istio: {At: noon, Client: "203.0.113.9", Method: "GET", Target: "/a", Status: 503, Bytes: 91},
		"[pod/shop-1/istio-proxy] " + istio: {At: noon, Client: "203.0.113.9", Method: "GET", Target: "/a", Status: 503,
			Bytes: 91},
		alb: {At: noon, Client: "203.0.113.9", Method: "GET", Target: "/a?b=c", Status: 200, Bytes: 57,
			UserAgent: "curl/8.9"},
	} {
		want.Number = 1
		log, err := accesslog.Read(strings.NewReader(text), "")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, log.Lines[0]); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
	for _, text := range []string{
		`[2026-03-07T12:00:00.000Z] "GET /a HTTP/1.1" 200 - 0 1 2 3 - - - - -`,
		`[2026-03-07T12:00:00.000Z] "GET /a HTTP/1.1" 200`,
		`[2026-03-07T12:00:00.000Z] "- - HTTP/1.1" 400 DPE 0 1 2 3 "-" "-" "-" "-" "-"`,
		`https 2026-03-07T12:00:01.5Z app/lb/1 203.0.113.9:2817`,
		strings.Replace(alb, `"GET https://shop.example:443/a?b=c HTTP/1.1"`, `"- http://shop.example:80- -"`, 1),
		alb[:len(alb)-1],
	} {
		if log, err := accesslog.Read(strings.NewReader(text), ""); err == nil {
			t.Errorf("%s is read as %+v", text, log.Lines[0])
		}
	}
}

// TestPrefixes puts what log collectors write before a line.
func TestPrefixes(t *testing.T) {
	const rest = `192.0.2.7 - ada [07/Mar/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"`
	for _, prefix := range []string{
		"2026-03-07T12:00:00.123456789Z stdout F ", "2026-03-07T12:00:00.1+01:00 stderr F ", "2026-03-07T12:00:00Z ",
		"web-1  | ",
		"<190>Mar  7 12:00:00 host1 nginx: ", "Mar 17 12:00:00 host1.example nginx[77]: ",
		"2026-03-07T12:00:00+00:00 host1 nginx[77]: ",
		"<190>1 2026-03-07T12:00:00Z host1 nginx 77 - - ", "\x00\x00\x00", "198.51.100.5:80 ", "shop.example ", "_:80 ",
	} {
		log, err := accesslog.Read(strings.NewReader(prefix+rest), "")
		if err != nil || log.Lines[0].Client != "192.0.2.7" || log.Lines[0].User != "ada" ||
			log.Lines[0].UserAgent != "x" {
			t.Errorf("%q: error %v, lines %+v", prefix, err, log.Lines)
		}
	}
	for _, prefix := range []string{"nginx: x ", "a b c d - - "} {
		if log, err := accesslog.Read(strings.NewReader(prefix+rest), ""); err == nil {
			t.Errorf("%q: read as %+v", prefix, log.Lines[0])
		}
	}
}
