package attack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"coalmine/loadgen"
)

func TestFailure(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	unknown := &net.DNSError{Err: "no such host", Name: "shop", IsNotFound: true}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errTimeout, loadgen.FailureTimeout},
		{fmt.Errorf("wrapped: %w", errStopped), loadgen.FailureStopped},
		{op(syscall.ECONNREFUSED), loadgen.FailureRefused},
		{op(syscall.ECONNRESET), loadgen.FailureReset},
		{op(syscall.EPIPE), loadgen.FailureReset},
		{io.ErrUnexpectedEOF, loadgen.FailureReset},
		{errors.New("http: server closed idle connection"), loadgen.FailureReset},
		{op(unknown), loadgen.FailureName},
		{op(&net.DNSError{IsTimeout: true}), loadgen.FailureTimeout},
		{context.DeadlineExceeded, loadgen.FailureTimeout},
		{&handshakeError{context.DeadlineExceeded}, loadgen.FailureTimeout},
		{&handshakeError{x509.UnknownAuthorityError{}}, loadgen.FailureTLS},
		{&handshakeError{io.EOF}, loadgen.FailureReset},
		{tls.RecordHeaderError{}, loadgen.FailureTLS},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, loadgen.FailureTLS},
		{op(syscall.EHOSTUNREACH), loadgen.FailureUnreachable},
		{op(syscall.ENETUNREACH), loadgen.FailureUnreachable},
		{errSwitched, loadgen.FailureProtocol},
		{errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0"`),
			loadgen.FailureProtocol},
		{errors.New("something new"), loadgen.FailureOther},
		{op(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)), loadgen.FailurePorts},
		{op(os.NewSyscallError("socket", syscall.EMFILE)), loadgen.FailureDescriptors},
		{syscall.ENFILE, loadgen.FailureDescriptors},
		{op(&net.DNSError{Err: "dial udp 192.0.2.1:53: socket: too many open files", Name: "shop"}),
			loadgen.FailureDescriptors},
		{op(syscall.ENOBUFS), loadgen.FailureMemory},
	} {
		if got := failure(test.err); got != test.want {
			t.Errorf("%v is %q, not %q", test.err, got, test.want)
		}
	}
	if got := hint(unknown, endpoint{addr: "shop:80"}); !strings.Contains(got, "the name shop does not resolve") {
		t.Error(got)
	}
}

func TestDetailHasNoLocalPort(t *testing.T) {
	local, remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40001},
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	err := fmt.Errorf("broken: %w", &net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote,
		Err: syscall.ECONNRESET})
	if got := detail(err); got != "read tcp 127.0.0.1:80: connection reset by peer" {
		t.Errorf("detail %q", got)
	}
	if got := detail(errSwitched); got != errSwitched.Error() {
		t.Errorf("detail %q", got)
	}
}
