package accesslog_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"coalmine/loadgen/accesslog"
)

// BenchmarkRead reads a log of 20,000 lines of 2,000 clients.
func BenchmarkRead(b *testing.B) {
	const lines = 20_000
	for _, format := range []struct {
		name  string
		write func(accesslog.Line) string
	}{
		{accesslog.FormatCombined, combined}, {accesslog.FormatJSON, caddy},
	} {
		var text bytes.Buffer
		for i := range lines {
			fmt.Fprintln(&text, format.write(accesslog.Line{
				At: noon.Add(time.Duration(i) * 5 * time.Millisecond), Client: fmt.Sprintf("192.0.%d.%d", i%8, i%250),
				Method: "GET",
				Target: fmt.Sprintf("/api/items/%d", i%5000), Status: 200, Bytes: 1234,
				Referer: "https://shop.example/", UserAgent: agent,
			}))
		}
		b.Run(format.name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				log, err := accesslog.Read(bytes.NewReader(text.Bytes()), "")
				if err != nil || len(log.Lines) != lines {
					b.Fatal(len(log.Lines), err)
				}
			}
			b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// caddy formats a line as long as those of Caddy.
func caddy(l accesslog.Line) string {
	return fmt.Sprintf(
		`{"level":"info","ts":%d.%06d,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":%q,"remote_port":"41342",`+
			`"client_ip":%q,"proto":"HTTP/2.0","method":%q,"host":"shop.example","uri":%q,"headers":{"User-Agent":[%q],"Accept":["*/*"],"Referer":[%q]},`+
			`"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"shop.example"}},"bytes_read":0,"user_id":"",`+
			`"duration":0.000929675,"size":%d,"status":%d,"resp_headers":{"Server":["Caddy"],"Content-Type":["application/json"],"Date":["Sat, 07 Mar 2026 12:00:00 GMT"]}}`,
		l.At.Unix(), l.At.Nanosecond()/1000, l.Client, l.Client, l.Method, l.Target, l.UserAgent, l.Referer,
		l.Bytes, l.Status)
}
