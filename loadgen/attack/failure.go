package attack

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
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
	}
	return loadgen.FailureOther
}

func isRefused(err error) bool { return isOneOf(err, refusals) }

// isReset reports whether err is that of a broken connection: a reset, a write after a reset, or an
// end before or within the response.
func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || isOneOf(err, resets) ||
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
