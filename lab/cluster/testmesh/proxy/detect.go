package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// protocol is what the client of a connection speaks.
type protocol uint8

const (
	undecided protocol = iota
	// opaque is anything else, such as HTTP/2.
	opaque
	http1
	// tlsHello starts TLS.
	tlsHello
)

// maxFirstLine bounds the first line of a request, in bytes. A longer one is left to the server,
// which refuses it.
const maxFirstLine = 8 << 10

// opaquePort reports whether the server speaks first on a port, by Linkerd's defaults (linkerd2,
// values proxy.opaquePorts).
func opaquePort(port uint16) bool {
	switch port {
	case 25, 587, 3306, 4444, 5432, 6379, 9300, 11211:
		return true
	}
	return false
}

// detect reads until the protocol of a client is known. A client that sends nothing for the given
// time, or closes, is opaque. The returned connection starts with what was read. An error is that
// of a broken connection, or of the context.
func detect(ctx context.Context, conn net.Conn, timeout time.Duration) (protocol, net.Conn, error) {
	release, err := withReadDeadline(ctx, conn, timeout)
	if err != nil {
		return opaque, conn, err
	}
	defer release()
	buf := make([]byte, 0, 1<<10)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if s := sniff(buf); s != undecided {
			return s, &prefixedConn{Conn: conn, prefix: buf}, nil
		}
		switch {
		case ctx.Err() != nil:
			return opaque, conn, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF):
			return opaque, &prefixedConn{Conn: conn, prefix: buf}, nil
		case err != nil:
			return opaque, conn, err
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

// withReadDeadline bounds reads by a time and by the context, until release is called.
func withReadDeadline(ctx context.Context, conn net.Conn, timeout time.Duration) (release func(), err error) {
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
		_ = conn.SetReadDeadline(time.Time{})
	}, nil
}

// sniff returns the protocol that starts with these bytes (linkerd2-proxy, linkerd/http/detect).
// HTTP/1 starts with a method, a target and a version.
func sniff(b []byte) protocol {
	if len(b) == 0 {
		return undecided
	}
	if b[0] == 0x16 { // a TLS handshake record
		return tlsHello
	}
	method, rest, spaced := bytes.Cut(b, []byte{' '})
	if len(method) == 0 || len(method) > 32 || !isMethod(method) || string(method) == "PRI" {
		return opaque
	}
	if !spaced {
		return undecided
	}
	line, _, ended := bytes.Cut(rest, []byte{'\n'})
	switch {
	case !ended && len(b) < maxFirstLine:
		return undecided
	case !ended:
		return http1
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if bytes.HasSuffix(line, []byte(" HTTP/1.1")) || bytes.HasSuffix(line, []byte(" HTTP/1.0")) {
		return http1
	}
	return opaque
}

// isMethod reports whether b has only characters of methods.
func isMethod(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r != '-' && r != '_' && (r|0x20 < 'a' || r|0x20 > 'z') })
}

// serverName reads a TLS ClientHello and returns its server name, "" for none. The returned
// connection starts with what was read.
func serverName(ctx context.Context, conn net.Conn, timeout time.Duration) (string, net.Conn, error) {
	release, err := withReadDeadline(ctx, conn, timeout)
	if err != nil {
		return "", conn, err
	}
	defer release()
	name := ""
	recorder := &recordingConn{Conn: conn}
	errDone := errors.New("the server name is known")
	// The handshake always fails: at the latest when the name is known.
	_ = tls.Server(recorder, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name = h.ServerName
		return nil, errDone
	}}).Handshake()
	return name, &prefixedConn{Conn: conn, prefix: recorder.read.Bytes()}, ctx.Err()
}

// recordingConn records what is read and discards what is written.
type recordingConn struct {
	net.Conn
	read bytes.Buffer
}

func (e *recordingConn) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	e.read.Write(b[:n])
	return n, err
}

func (e *recordingConn) Write(b []byte) (int, error) { return len(b), nil }

// prefixedConn is a connection with some bytes put back.
type prefixedConn struct {
	net.Conn
	prefix []byte
}

func (r *prefixedConn) Read(b []byte) (int, error) {
	if len(r.prefix) > 0 {
		n := copy(b, r.prefix)
		r.prefix = r.prefix[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// CloseWrite closes one direction if the connection supports it, otherwise both.
func (r *prefixedConn) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return r.Close()
}

// SetLinger is that of net.TCPConn, if the connection has it.
func (r *prefixedConn) SetLinger(sec int) error {
	if c, ok := r.Conn.(interface{ SetLinger(int) error }); ok {
		return c.SetLinger(sec)
	}
	return nil
}
