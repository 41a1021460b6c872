package accesslog_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"coalmine/loadgen/accesslog"
)

// asJSON formats a line with nginx's names.
func asJSON(l accesslog.Line) string {
	data, err := json.Marshal(map[string]any{
		"remote_addr": l.Client, "remote_user": l.User, "ts": l.At, "request_method": l.Method, "request_uri": l.Target,
		"status": l.Status, "body_bytes_sent": l.Bytes, "http_referer": l.Referer, "http_user_agent": l.UserAgent,
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func FuzzCommon(f *testing.F)   { fuzz(f, accesslog.FormatCommon) }
func FuzzCombined(f *testing.F) { fuzz(f, accesslog.FormatCombined) }
func FuzzJSON(f *testing.F)     { fuzz(f, accesslog.FormatJSON) }
func FuzzAny(f *testing.F)      { fuzz(f, "") }

// fuzz reads any input: every line must be counted once, and valid lines must make valid requests.
func fuzz(f *testing.F, format string) {
	for _, sample := range samples {
		f.Add([]byte(sample.text))
		f.Add([]byte(sample.text + "\r\n\n" + sample.text[:len(sample.text)/2] + "\n"))
	}
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := accesslog.Reader{Format: format, MaxBytes: 1 << 20}.Read(strings.NewReader(string(data)))
		if (err == nil) != (len(log.Lines) > 0) {
			t.Fatalf("%d lines with error %v", len(log.Lines), err)
		}
		if len(log.Broken.First) != min(log.Broken.Count, 5) {
			t.Errorf("%d of %d broken lines are kept", len(log.Broken.First), log.Broken.Count)
		}
		if err == nil && !slices.Contains(accesslog.Formats(), log.Format) {
			t.Errorf("the format is %q", log.Format)
		}
		for i, l := range log.Lines {
			if i > 0 && l.At.Before(log.Lines[i-1].At) {
				t.Errorf("%+v comes too late", l)
			}
			u, err := url.ParseRequestURI(l.Target)
			if err != nil || u.Host != "" || !strings.HasPrefix(l.Target, "/") {
				t.Errorf("target %q: %v, error %v", l.Target, u, err)
			}
			if l.Method == "" || l.Number < 1 || l.Status < 0 || l.Status > 999 || l.Bytes < 0 || l.At.Year() < 1990 ||
				l.At.Year() > 2200 {
				t.Errorf("the line is %+v", l)
			}
		}
	})
}
