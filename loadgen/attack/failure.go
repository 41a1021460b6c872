package attack

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"coalmine/loadgen"
)

// errSwitched is for servers that respond with 101, which no request asks for.
var errSwitched = errors.New("the server switched to another protocol")

// failure returns the Failure constant for an error of net/http, for which there was no response or
// only part of one.
func failure(err error) string {
	var name *net.DNSError
	var network net.Error
	if local := localFailure(err); local != "" {
		return local
	}
	switch {
	case errors.Is(err, errTimeout):
		return loadgen.FailureTimeout
	case errors.Is(err, errStopped):
		return loadgen.FailureStopped
	case errors.As(err, &name) && !name.IsTimeout:
		return loadgen.FailureName
	case errors.As(err, &network) && network.Timeout():
		return loadgen.FailureTimeout
	case isRefused(err):
		return loadgen.FailureRefused
	case isTLS(err):
		return loadgen.FailureTLS
	case isReset(err):
		return loadgen.FailureReset
	case isOneOf(err, unreachables):
		return loadgen.FailureUnreachable
	case isProtocol(err):
		return loadgen.FailureProtocol
	}
	return loadgen.FailureOther
}

// localFailure returns the limit of this machine that err stands for, or "" if it is another error.
// A resolver passes on the text of an error only.
func localFailure(err error) string {
	var name *net.DNSError
	isName := errors.As(err, &name)
	for _, l := range localLimits {
		if errors.Is(err, l.errno) || isName && strings.Contains(name.Err, l.errno.Error()) {
			return l.failure
		}
	}
	return ""
}

// isProtocol reports whether err says that the response is not valid HTTP. Most such errors of
// net/http have no type.
func isProtocol(err error) bool {
	var protocol *http.ProtocolError
	if errors.Is(err, errSwitched) || errors.As(err, &protocol) {
		return true
	}
	text := err.Error()
	for _, part := range []string{"malformed", "http2: ", "invalid header", "server gave HTTP response",
		"bad Content-Length",
		"unsupported transfer encoding", "too many transfer encodings", "headers exceeded", "invalid byte in chunk",
		"chunked encoding"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// detail returns the text of an error without this machine's port, so that equal problems have
// equal texts.
func detail(err error) string {
	var op *net.OpError
	if err == nil || !errors.As(err, &op) || op.Source == nil {
		return errorText(err)
	}
	short := *op
	short.Source = nil
	return short.Error()
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func isRefused(err error) bool { return isOneOf(err, refusals) }

// isReset reports whether err is that of a broken connection: a reset, a write after a reset, or an
// end before or within the response.
func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		isOneOf(err, resets) ||
		isClosedIdle(err)
}

// isClosedIdle reports whether err is net/http's error for a closed idle connection, which is not
// exported.
func isClosedIdle(err error) bool { return err.Error() == "http: server closed idle connection" }

func isOneOf(err error, list []syscall.Errno) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isTLS reports whether err is that of a TLS handshake or record, or an alert of the peer.
func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var certificate *tls.CertificateVerificationError
	var handshake *handshakeError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &handshake) && !isReset(err) || isAlert(err)
}

// isAlert reports whether err is an alert. crypto/tls returns it as an operational error named
// "remote error" or "local error".
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

// handshakeError says that the connection was established but TLS was not.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "tls handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// localLimit is an error of the operating system and the limit that it stands for.
type localLimit struct {
	errno   syscall.Errno
	failure string
}
