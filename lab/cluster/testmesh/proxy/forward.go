package proxy

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"

	"coalmine/lab/mesh"
	"coalmine/loadgen/traceheader"
)

// errorHeader says why the proxy itself answered. It is Linkerd's.
const errorHeader = traceheader.ProxyErrorHeader

// newForwarder passes requests to a transport unchanged, except for headers of a single connection.
func newForwarder(to http.RoundTripper, quiet *log.Logger) http.Handler {
	forward := &httputil.ReverseProxy{
		Transport: to, ErrorLog: quiet, BufferPool: &buffers{},
		Rewrite: func(r *httputil.ProxyRequest) {
			// The proxy is transparent: services must not see it as a hop.
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = values
				}
			}
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		// The client is gone, or gets no answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Services may respond while clients still send, as always in HTTP/1.
		_ = http.NewResponseController(w).EnableFullDuplex()
		forward.ServeHTTP(w, r)
	})
}

// buffers are for copying bodies.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 16<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }

// synthetic returns a response of the client's own proxy, which says why.
func synthetic(r *http.Request, status int, reason string) *http.Response {
	response := bare(r, status)
	response.Header.Set(errorHeader, printable(reason))
	return response
}

// bare returns a response of the server's proxy. Of these, clients only see the status: a denied
// request gets a 403 that does not say which pod denied it, or why.
func bare(r *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1,
		ProtoMinor: 1, Request: r, Header: http.Header{}, Body: http.NoBody,
	}
}

// printable replaces characters that are not allowed in a header.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// onBodyEnd calls then once when the body of a response was read or closed. The body of an upgrade,
// which is a connection, stays as it is, and then is called at once.
func onBodyEnd(r *http.Response, then func()) {
	if r.StatusCode == http.StatusSwitchingProtocols {
		then()
		return
	}
	r.Body = &notifyingBody{ReadCloser: r.Body, then: then}
}

type notifyingBody struct {
	io.ReadCloser
	once sync.Once
	then func()
}

func (w *notifyingBody) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if err != nil {
		w.once.Do(w.then)
	}
	return n, err
}

func (w *notifyingBody) Close() error {
	w.once.Do(w.then)
	return w.ReadCloser.Close()
}

// filter returns headers changed by a route's filter. Filters cannot change headers that frame a
// message, or set invalid ones.
func filter(h http.Header, f mesh.HeaderFilter) http.Header {
	if len(f.Add)+len(f.Set)+len(f.Remove) == 0 {
		return h
	}
	h = h.Clone()
	for _, a := range f.Add {
		if validHeader(a) {
			h.Add(a.Name, a.Value)
		}
	}
	for _, s := range f.Set {
		if validHeader(s) {
			h.Set(s.Name, s.Value)
		}
	}
	for _, name := range f.Remove {
		if !framing(name) {
			h.Del(name)
		}
	}
	return h
}

func validHeader(h mesh.Header) bool {
	return !framing(h.Name) && httpguts.ValidHeaderFieldName(h.Name) && httpguts.ValidHeaderFieldValue(h.Value)
}

func framing(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}
