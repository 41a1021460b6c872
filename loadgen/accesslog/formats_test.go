package accesslog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/loadgen/accesslog"
)

const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// samples are lines as servers write them, and their meaning.
var samples = map[string]struct {
	format, text string
	want         accesslog.Line
}{
	"Apache, common": {
		accesslog.FormatCommon, `192.0.2.7 - ada [07/Mar/2026:13:00:00 +0100] "GET /a?b=c HTTP/1.1" 200 2326`,
		accesslog.Line{At: noon, Client: "192.0.2.7", User: "ada", Method: "GET", Target: "/a?b=c", Status: 200,
			Bytes: 2326},
	},
	"Apache, no bytes": {
		accesslog.FormatCommon, `192.0.2.7 - - [07/Mar/2026:06:30:00 -0530] "HEAD / HTTP/1.0" 304 -`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "HEAD", Target: "/", Status: 304},
	},
	"Apache, several hosts": {
		accesslog.FormatCombined,
		`shop.example:443 192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.9"`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/", Status: 200, Bytes: 5,
			UserAgent: "curl/8.9"},
	},
	"nginx, combined": {
		accesslog.FormatCombined,
		`2001:db8::1 - - [07/Mar/2026:12:00:00 +0000] "GET /i/42 HTTP/2.0" 200 17 "https://shop.example/" "` +
			agent + `" "-"`,
		accesslog.Line{At: noon, Client: "2001:db8::1", Method: "GET", Target: "/i/42", Status: 200, Bytes: 17,
			Referer: "https://shop.example/", UserAgent: agent},
	},
	"nginx, a user with spaces": {
		accesslog.FormatCombined,
		`192.0.2.7 - ada lovelace [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 499 0 "-" "-"`,
		accesslog.Line{At: noon, Client: "192.0.2.7", User: "ada lovelace", Method: "GET", Target: "/", Status: 499},
	},
	"a client's name, a user with spaces": {
		accesslog.FormatCommon, `client.example - ada lovelace [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 0`,
		accesslog.Line{At: noon, Client: "client.example", User: "ada lovelace", Method: "GET", Target: "/",
			Status: 200},
	},
	"an identity that is an address": {
		accesslog.FormatCommon, `192.0.2.7 10.0.0.1 ada lovelace [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 0`,
		accesslog.Line{At: noon, Client: "192.0.2.7", User: "ada lovelace", Method: "GET", Target: "/", Status: 200},
	},
	"nginx, escapes": {
		accesslog.FormatCombined,
		`192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET /\xC3\xA4\x22 HTTP/1.1" 404 9 "-" "a \x22b\x22 \x5C \xZZ"`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: `/ä"`, Status: 404, Bytes: 9,
			UserAgent: `a "b" \ \xZZ`},
	},
	"Apache, escapes": {
		accesslog.FormatCombined,
		`192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 9 "-" "a \"b\"\t\\n \q\` + `""`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/", Status: 200, Bytes: 9,
			UserAgent: "a \"b\"\t\\n \\q\""},
	},
	"HTTP/0.9": {
		accesslog.FormatCommon, `192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET /" 200 5`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/", Status: 200, Bytes: 5},
	},
	"a proxy's request": {
		accesslog.FormatCommon,
		`192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET HTTP://shop.example?q=1 HTTP/1.1" 200 5`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/?q=1", Status: 200, Bytes: 5},
	},
	"Traefik, common": {
		accesslog.FormatCombined,
		`192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl/8.9" 12 "web@file" "http://10.0.0.3:80" 2ms`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/x", Status: 200, Bytes: 5,
			UserAgent: "curl/8.9"},
	},
	"Linkerd, apache": {
		accesslog.FormatCommon,
		`10.42.0.63:51160 traffic.shop.serviceaccount.identity.linkerd.cluster.local - [2026-03-07T12:00:00.071809491Z] "GET http://web:7000/authors/104 HTTP/2.0" 200`,
		accesslog.Line{At: noon.Add(71809491), Client: "10.42.0.63",
			User:   "traffic.shop.serviceaccount.identity.linkerd.cluster.local",
			Method: "GET", Target: "/authors/104", Status: 200},
	},
	"nginx, JSON": {
		accesslog.FormatJSON,
		`{"time_local":"07/Mar/2026:12:00:00 +0000","msec":"1772884800.250","remote_addr":"10.0.0.1","http_x_forwarded_for":"192.0.2.7, 10.9.9.9",` +
			`"remote_user":"","request":"POST \/api\/x?y=1 HTTP/1.1","request_method":"POST","uri":"/rewritten","args":"z=2","status":"201","body_bytes_sent":"13",` +
			`"request_time":"0.003","http_referer":"-","http_user_agent":"a \u0022b\u0022"}`,
		accesslog.Line{At: noon.Add(250 * time.Millisecond), Client: "192.0.2.7", Method: "POST", Target: "/api/x?y=1",
			Status: 201, Bytes: 13,
			UserAgent: `a "b"`},
	},
	"path and query apart": {
		accesslog.FormatJSON,
		`{"time_iso8601":"2026-03-07T13:00:00+01:00","http_x_forwarded_for":"-","remote_addr":"192.0.2.7","method":"GET","uri":"/a","query_string":"b=c","status":200}`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/a?b=c", Status: 200},
	},
	"path and query twice": {
		accesslog.FormatJSON, `{"ts":1772884800,"client":"192.0.2.7","method":"GET","url":"/a?b=c","query":"b=c"}`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/a?b=c"},
	},
	"a request that was rewritten": {
		accesslog.FormatJSON,
		`{"ts":1772884800,"client":"192.0.2.7","request":"GET /a HTTP/1.1","request_method":"GET","uri":"/index.php","args":"q=/a"}`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/a"},
	},
	"Caddy": {
		accesslog.FormatJSON,
		`{"level":"info","ts":1772884800.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1",` +
			`"remote_port":"41342","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/a?b",` +
			`"headers":{"Accept":["*/*"],"User-Agent":["` + agent +
			`"],"Referer":["https://shop.example/","x"]},"tls":{"version":772}},` +
			`"bytes_read":0,"user_id":"ada","duration":0.0009,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"],"Status":["9"]}}`,
		accesslog.Line{At: noon.Add(524102400), Client: "192.0.2.7", User: "ada", Method: "GET", Target: "/a?b",
			Status: 200, Bytes: 10900,
			Referer: "https://shop.example/", UserAgent: agent},
	},
	"Traefik, JSON": {
		accesslog.FormatJSON,
		`{"ClientAddr":"10.0.0.9:4711","ClientHost":"192.0.2.7","ClientPort":"4711","ClientUsername":"-","DownstreamContentSize":4,` +
			`"DownstreamStatus":200,"Duration":1000,"OriginStatus":500,"RequestMethod":"GET","RequestPath":"/a","StartLocal":"2026-03-07T13:00:00.5+01:00",` +
			`"StartUTC":"2026-03-07T12:00:00.5Z","level":"info","msg":"","request_User-Agent":"curl/8.9","time":"2026-03-07T12:00:09Z"}`,
		accesslog.Line{At: noon.Add(500 * time.Millisecond), Client: "192.0.2.7", Method: "GET", Target: "/a",
			Status: 200, Bytes: 4, UserAgent: "curl/8.9"},
	},
	"Istio": {
		accesslog.FormatJSON,
		`{"start_time":"2026-03-07T12:00:00.409Z","method":"GET","path":"/a","protocol":"HTTP/1.1","response_code":418,"bytes_received":0,` +
			`"bytes_sent":135,"duration":4,"user_agent":"curl/8.9","x_forwarded_for":null,"downstream_remote_address":"[2001:db8::1]:37652"}`,
		accesslog.Line{At: noon.Add(409 * time.Millisecond), Client: "2001:db8::1", Method: "GET", Target: "/a",
			Status: 418, Bytes: 135, UserAgent: "curl/8.9"},
	},
	"Linkerd, JSON": {
		accesslog.FormatJSON,
		`{"client.addr":"10.42.0.70:32996","client.id":"traffic.shop","host":"web:7000","method":"POST","processing_ns":"30036",` +
			`"request_bytes":"33","response_bytes":"","status":303,"timestamp":"2026-03-07T12:00:00.000000001Z","uri":"http://web:7000/authors","user_agent":"Go-http-client/1.1"}`,
		accesslog.Line{At: noon.Add(1), Client: "10.42.0.70", User: "traffic.shop", Method: "POST", Target: "/authors",
			Status: 303, UserAgent: "Go-http-client/1.1"},
	},
	"Elastic Common Schema": {
		accesslog.FormatJSON,
		`{"@timestamp":"2026-03-07T12:00:00.000Z","source":{"ip":"192.0.2.7"},"http":{"request":{"method":"GET"},"response":{"status_code":200,"body":{"bytes":7}}},` +
			`"url":{"original":"/a"},"user_agent":{"original":"curl/8.9"}}`,
		accesslog.Line{At: noon, Client: "192.0.2.7", Method: "GET", Target: "/a", Status: 200, Bytes: 7,
			UserAgent: "curl/8.9"},
	},
	"spaces and nesting": {
		accesslog.FormatJSON,
		` { "x" : [ { "method" : "PUT" } , "}" ] , "a" : { "b" : { "c" : { "d" : { "method" : "PUT" , "s":"\"}" } } } } , "time" : 1772884800000 , "method" : "GET" , "path" : "/" , "e" : { } , "n" : null , "t" : true , "status" : 200 } `,
		accesslog.Line{At: noon, Method: "GET", Target: "/", Status: 200},
	},
}

func TestLinesOfServers(t *testing.T) {
	for name, sample := range samples {
		sample.want.Number = 1
		for _, format := range []string{sample.format, ""} {
			log, err := accesslog.Read(strings.NewReader(sample.text), format)
			if err != nil {
				t.Errorf("%s, read as %q: %v", name, format, err)
				continue
			}
			if diff := cmp.Diff([]accesslog.Line{sample.want}, log.Lines); diff != "" || log.Format != sample.format {
				t.Errorf("%s, read as %q: format %q, want %q (-want +got):\n%s", name, format, log.Format,
					sample.format, diff)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		`"2026-03-07T12:00:00Z"`:          noon,
		`"2026-03-07T12:00:00,5Z"`:        noon.Add(500 * time.Millisecond),
		`"2026-03-07t12:00:00Z"`:          {},
		`"2026-03-07T13:00:00.000+0100"`:  noon,
		`"2026-03-07T12:00:00"`:           noon,
		`"2026-03-07 12:00:00.25"`:        noon.Add(250 * time.Millisecond),
		`"2026-03-07 13:00:00 +0100"`:     noon,
		`"2026-03-07 14:00:00+02:00"`:     noon,
		`"2026/03/07 12:00:00.5"`:         noon.Add(500 * time.Millisecond),
		`"[2026-03-07T12:00:00.000Z]"`:    noon,
		`"07/Mar/2026:12:00:00 +0000"`:    noon,
		`"07/Mar/2026:23:00:00 +1100"`:    noon,
		`"31/Dec/2016:23:59:60 +0000"`:    time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
		`"29/Feb/2024:00:00:00 +0000"`:    time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		`"29/Feb/2026:00:00:00 +0000"`:    {},
		`"07/mar/2026:12:00:00 +0000"`:    {},
		`"07/anF/2026:12:00:00 +0000"`:    {},
		`"07/Mar/2026:24:00:00 +0000"`:    {},
		`"07/Mar/2026:12:00:00 *0000"`:    {},
		`"00/Mar/2026:12:00:00 +0000"`:    {},
		`"0x/Mar/2026:12:00:00 +0000"`:    {},
		`1772884800`:                      noon,
		`1772884800.1234567891`:           noon.Add(123456789),
		`"1772884800.5"`:                  noon.Add(500 * time.Millisecond),
		`1.7728848005e+09`:                noon.Add(500 * time.Millisecond),
		`1772884800000`:                   noon,
		`1772884800123.75`:                noon.Add(123750 * time.Microsecond),
		`1772884800123456`:                noon.Add(123456 * time.Microsecond),
		`1772884800123456789`:             noon.Add(123456789),
		`99999999999999999999`:            {},
		`-1772884800`:                     {},
		`1e300`:                           {},
		`12`:                              {}, // perhaps a duration
		`"2026-03-07"`:                    {},
		`"noon"`:                          {},
		`"9999-03-07T12:00:00Z"`:          {},
		`"2026-03-07T12:00:00Z and more"`: {},
	} {
		log, err := accesslog.Read(strings.NewReader(`{"method":"GET","path":"/","time":`+text+`}`),
			accesslog.FormatJSON)
		switch {
		case want.IsZero() && err == nil:
			t.Errorf("%s is read as %v", text, log.Lines[0].At)
		case !want.IsZero() && (err != nil || !log.Lines[0].At.Equal(want) || log.Lines[0].At.Location() != time.UTC):
			t.Errorf("%s: error %v, lines %v, want %v", text, err, log.Lines, want)
		}
	}
}

func TestBrokenLines(t *testing.T) {
	const head, end = `192.0.2.7 - - [07/Mar/2026:12:00:00 +0000] "`, `" 400 5 "-" "-"`
	json := func(fields string) string { return `{"time":1772884800,"method":"GET","path":"/",` + fields + `}` }
	for _, test := range []struct{ format, text, want string }{
		{"combined", head + `-` + end, "has no request"},
		{"combined", head + end, "has no request"},
		{"combined", head + `\x16\x03\x01\x02\x00\x01` + end, "is not HTTP"},
		{"combined", head + "\x16\x03\x01 \x02\x01" + end, "is not HTTP"},
		{"combined", head + `SSH-2.0-Go` + end, "is not HTTP"},
		{"combined", head + `get / HTTP/1.1` + end, "is not HTTP"},
		{"combined", head + `OPTIONS * HTTP/1.1` + end, "has no path"},
		{"combined", head + `CONNECT shop.example:443 HTTP/1.1` + end, "has no path"},
		{"combined", head + `GET  HTTP/1.1` + end, "has no path"},
		{"combined", head + `GET /a b HTTP/1.1` + end, "contains a space"},
		{"combined", head + `GET /a\nb HTTP/1.1` + end, "contains a space or a control character"},
		{"combined", head + `GET /%zz HTTP/1.1` + end, "contains a %"},
		{"combined", head + `GET /a% HTTP/1.1` + end, "contains a %"},
		{"combined", head + `GET / HTTP/1.1" 20 5 "-" "-"`, "its status"},
		{"combined", head + `GET / HTTP/1.1" OK 5 "-" "-"`, "its status"},
		{"combined", head + `GET / HTTP/1.1" 200 5k "-" "-"`, "its size"},
		{"combined", head + `GET / HTTP/1.1" 200 5`, "ends before referer"},
		{"combined", head + `GET / HTTP/1.1" 200 5 "-"`, "ends before referer"},
		{"combined", head + `GET / HTTP/1.1" 200 5 "-" "cut o`, "ends before referer"},
		{"combined", head + `GET / HTT`, "common log format"},
		{"combined", head + `GET / HTTP/1.1"`, "common log format"},
		{"combined", `192.0.2.7 - - 12:00 "GET / HTTP/1.1" 200 5 "-" "-"`, "common log format"},
		{"combined", `192.0.2.7 - - [yesterday] "GET / HTTP/1.1" 200 5 "-" "-"`, "time"},
		{"combined", `192.0.2.7 - - [07/Mar/1926:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"`, "1990 and 2200"},
		{"combined", `{"time":1}`, "common log format"},
		{"", `hello`, "in a known format"},
		{"", head + `-` + end, "has no request"},
		{"", `{"level":"info","msg":"serving"}`, "time"},
		{"json", head, "not a JSON object"},
		{"json", `{"time":`, "not a JSON object"},
		{"json", `[1]`, "not a JSON object"},
		{"json", `{} {}`, "not a JSON object"},
		{"json", `{"ts":1772884800,"msg":"serving"}`, "has no method or no path"},
		{"json", `{"ts":1772884800,"method":"GET"}`, "has no method or no path"},
		{"json", `{"ts":true,"method":"GET","path":"/"}`, "time"},
		{"json", json(`"status":"2xx"`), "its status"},
		{"json", json(`"status":1000`), "its status"},
		{"json", json(`"size":-1`), "its size"},
		{"json", json(`"size":1e3`), "its size"},
		{"common", head + `GET /` + strings.Repeat("x", 64<<10) + ` HTTP/1.1" 200 5`, "over 64 KiB"},
	} {
		log, err := accesslog.Read(strings.NewReader("\n"+test.text), test.format)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "line 2: ") {
			t.Errorf("%.90q as %q: error %v, want line 2 and %q", test.text, test.format, err, test.want)
		}
		if log.Broken.Count != 1 || len(log.Lines) != 0 {
			t.Errorf("%.90q: %d lines and %d broken ones", test.text, len(log.Lines), log.Broken.Count)
		}
	}
}
