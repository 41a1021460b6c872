package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

func TestSniff(t *testing.T) {
	for text, want := range map[string]protocol{
		"": undecided, "G": undecided, "GET": undecided, "GET ": undecided, "GET / HTTP/1.1": undecided,
		"GET / HTTP/1.1\r\n": http1,
		"GET / HTTP/1.0\n":   http1, "M-SEARCH * HTTP/1.1\r\n": http1, "GET / HTTP/2.0\r\n": opaque,
		"GET /\r\n":          opaque,
		"PRI * HTTP/2.0\r\n": opaque, "\x16\x03": tlsHello, " ": opaque, "\r\n": opaque,
		"GET" + strings.Repeat("T", 40):             opaque,
		"GET /" + strings.Repeat("a", maxFirstLine): http1, "SSH-2.0": opaque,
	} {
		if got := sniff([]byte(text)); got != want {
			t.Errorf("%.40q is %d, want %d", text, got, want)
		}
	}
}

// patient is a connection without deadlines: a pipe whose other end is closed accepts none, though
// it still has something to read.
type patient struct{ net.Conn }

func (patient) SetReadDeadline(time.Time) error { return nil }

// TestSniff: whatever arrives, in whatever pieces, the bytes that were read are put back, and the
// decision does not depend on the pieces.
func FuzzDetect(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(3))
	f.Add([]byte("\x16\x03\x01\x00\x05hello"), uint8(1))
	f.Add([]byte("PRI * HTTP/2.0"), uint8(5))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		near, far := net.Pipe()
		defer far.Close()
		go func() {
			defer near.Close()
			for rest := text; len(rest) > 0; {
				n := min(int(piece)+1, len(rest))
				if _, err := near.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		what, conn, err := detect(context.Background(), patient{far}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if what == tlsHello {
			if _, conn, err = serverName(context.Background(), conn, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		back, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(back, text) {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
		want := opaque
		for n := range len(text) + 1 {
			if s := sniff(text[:n]); s != undecided {
				want = s
				break
			}
		}
		if what != want {
			t.Errorf("%q is %d, want %d", text, what, want)
		}
	})
}

// Label values come from the cluster and may be anything.
func FuzzSeriesText(f *testing.F) {
	f.Add("a\"b\\c\nd")
	f.Add("\xff{}=,")
	f.Fuzz(func(t *testing.T, value string) {
		m := newMeter()
		m.proxy.CertificateExpires(time.Unix(1, 0))
		m.registry.Counter(0, "some_total", mesh.Label{Name: "a", Value: value},
			mesh.Label{Name: "b", Value: "x"}).Inc()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(m.text(nil, 0)))
		if err != nil {
			t.Fatal(err)
		}
		labels := families["some_total"].Metric[0].Label
		if got := labels[0].GetValue(); value != "" && got != strings.ToValidUTF8(value, "\uFFFD") {
			t.Errorf("%q is shown as %q", value, got)
		}
	})
}

// Endpoints that come while the proxy does not ask are unknown until it asks again.
func TestLookupIsLate(t *testing.T) {
	p := &Proxy{changed: make(chan struct{}), lookupRNG: rng.New(1, "test")}
	u := &upstream{endpoints: map[int]*endpoint{}}
	u.ask(0)
	p.advance(u, mesh.LookupTimeout)
	if pause := u.at - mesh.LookupTimeout; u.asking || pause < 100*time.Millisecond || pause > 110*time.Millisecond {
		t.Fatalf("asking %v, the pause is %v", u.asking, pause)
	}
	u.endpoints, u.nextKey = map[int]*endpoint{0: {}}, 1
	u.answer()
	u.balance(mesh.LookupTimeout)
	if u.Known() || u.balancer.Len() != 0 || !u.mayAnswer() {
		t.Fatal("the endpoints are known in the pause")
	}
	u.failfast = true
	if u.mayAnswer() {
		t.Error("requests wait although one has waited in vain")
	}
	p.advance(u, u.at)
	if !u.Known() || u.balancer.Len() != 1 || u.failfast {
		t.Errorf("the endpoints are not known after the pause: %+v", u.lookup)
	}
	u.endpoints = map[int]*endpoint{}
	u.balance(time.Hour)
	if p.advance(u, time.Hour); u.mayAnswer() {
		t.Error("a proxy that has seen an endpoint looks the Service up again")
	}
}
