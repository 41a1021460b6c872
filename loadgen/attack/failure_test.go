package attack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
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
		{syscall.EMFILE, loadgen.FailureOther},
		{errSwitched, loadgen.FailureOther},
	} {
		if got := failure(test.err); got != test.want {
			t.Errorf("%v is %q, not %q", test.err, got, test.want)
		}
	}
	if got := hint(unknown, endpoint{addr: "shop:80"}); !strings.Contains(got, "the name shop does not resolve") {
		t.Error(got)
	}
}
