package attack

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"

	"coalmine/loadgen"
)

// errSwitched is for servers that answer 101, which nobody asked for.
var errSwitched = errors.New("the server switched to another protocol")

// failure returns the word for an error of net/http's, for which there was no answer or only half of one.
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

// isReset tells errors of connections that broke, as these are: a reset, a write after it, or an end amid an answer or before it.
func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || isOneOf(err, resets) ||
		isClosedIdle(err)
}

// isClosedIdle tells an error that net/http has no name for.
func isClosedIdle(err error) bool { return err.Error() == "http: server closed idle connection" }

func isOneOf(err error, list []syscall.Errno) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isTLS tells errors of a handshake, or of a record in the traffic after it. An alert is one of the other side.
func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var certificate *tls.CertificateVerificationError
	var handshake *handshakeError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &handshake) && !isReset(err) || isAlert(err)
}

// isAlert tells an alert, which crypto/tls makes an operational error "remote error" or "local error" of.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

// handshakeError says that a connection was there and TLS was not.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "tls handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }
