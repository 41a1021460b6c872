package intercept_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coalmine/lab/cluster/testmesh/intercept"
	"coalmine/lab/cluster/testmesh/ports"
)

// inNamespace runs the rest of a test in another process with a network namespace of its own: a
// thread that has left its namespace must not be reused by other tests.
func inNamespace(t *testing.T) (child bool) {
	t.Helper()
	const flag = "COALMINE_TEST_NAMESPACE"
	if os.Getenv(flag) == t.Name() {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("redirects are tested in a network namespace, which only root can make")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), flag+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		t.Skip("this machine does not allow new network namespaces:", err)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// rules are those of the test mesh.
func rules() intercept.Rules {
	return intercept.Rules{User: 2102, Outbound: 4140, Inbound: 4143, Admin: 4191,
		SkipOutbound: ports.Set{{First: 5000, Last: 5010}}, SkipInbound: ports.Set{{First: 9102, Last: 9102}}}
}

// TestRedirects makes a pod: an interface with an address, and the rules. Outside is the other end
// of a veth pair, in a namespace of its own.
func TestRedirects(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("the command ip is not installed")
	}
	outside := otherNamespace(t)
	inside := func(do func()) { do() }
	for _, c := range []struct {
		in   func(func())
		line string
	}{
		{inside, "link set lo up"},
		{inside, "link add eth0 type veth peer name node netns /proc/self/fd/3"},
		{inside, "addr add 10.9.0.2/24 dev eth0"},
		{inside, "link set eth0 up"},
		{outside.in, "addr add 10.9.0.1/24 dev node"},
		{outside.in, "addr add 10.9.0.3/24 dev node"},
		{outside.in, "link set node up"},
		{outside.in, "link set lo up"},
		{inside, "route add default via 10.9.0.1"},
	} {
		var out []byte
		var err error
		c.in(func() { out, err = run(t, ip, outside.file, c.line) })
		if err != nil {
			t.Fatalf("ip %s: %v\n%s", c.line, err, out)
		}
	}
	for range 2 { // the init container may run twice
		if err := intercept.Install(rules()); err != nil {
			t.Fatal(err)
		}
	}
	outbound, inbound := listen(t, "127.0.0.1:4140"), listen(t, ":4143")
	app, metrics, admin := listen(t, "0.0.0.0:8080"), listen(t, "0.0.0.0:9102"), listen(t, "0.0.0.0:4191")
	server, skipped := outside.listen(t, "10.9.0.3:80"), outside.listen(t, "10.9.0.3:5005")

	here := dialHere
	there := outside.dial
	proxy := func(addr string) (net.Conn, error) { return asUser(2102, addr) }
	other := func(addr string) (net.Conn, error) { return asUser(2103, addr) }
	for name, c := range map[string]struct {
		dial func(string) (net.Conn, error)
		to   string
		at   net.Listener
		// original is the original destination that the listener gets, "" for the address itself or
		// an error.
		original string
	}{
		"out to a server":                 {here, "10.9.0.3:80", outbound, "10.9.0.3:80"},
		"out to an address nowhere":       {here, "10.96.0.10:53", outbound, "10.96.0.10:53"},
		"out of another user":             {other, "10.9.0.3:80", outbound, "10.9.0.3:80"},
		"out of the proxy":                {proxy, "10.9.0.3:80", server, ""},
		"out to a skipped port":           {here, "10.9.0.3:5005", skipped, ""},
		"the pod to loopback":             {here, "127.0.0.1:8080", app, ""},
		"the pod to its own address":      {here, "10.9.0.2:8080", app, ""},
		"the proxy to its own pod":        {proxy, "10.9.0.2:8080", app, ""},
		"in":                              {there, "10.9.0.2:8080", inbound, "10.9.0.2:8080"},
		"in to a port without a listener": {there, "10.9.0.2:81", inbound, "10.9.0.2:81"},
		"in to metrics":                   {there, "10.9.0.2:9102", metrics, ""},
		"in to the proxy's admin":         {there, "10.9.0.2:4191", admin, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := c.dial(c.to)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got, original := accepted(t, c.at)
			if got != conn.LocalAddr().String() {
				t.Fatalf("accepted %s, dialled from %s", got, conn.LocalAddr())
			}
			if want := c.original; want != "" && original != netip.MustParseAddrPort(want) || want == "" &&
				original.IsValid() && original.String() != c.to {
				t.Errorf("original destination %v, want %q", original, want)
			}
		})
	}
}

func TestInstallWithoutRights(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Skip("capabilities cannot be dropped:", err)
	}
	if err := intercept.Install(rules()); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "NET_ADMIN") {
		t.Errorf("%v", err)
	}
}

// namespace is another network namespace, which a thread of this process is in.
type namespace struct {
	file *os.File
	do   chan func()
}

func otherNamespace(t *testing.T) *namespace {
	n := &namespace{do: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		}
		ready <- err
		for f := range n.do {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(n.do); n.file.Close() })
	return n
}

// in calls f on the namespace's thread.
func (n *namespace) in(do func()) {
	done := make(chan struct{})
	n.do <- func() {
		defer close(done)
		do()
	}
	<-done
}

func (n *namespace) listen(t *testing.T, addr string) (l net.Listener) {
	var err error
	n.in(func() { l, err = net.Listen("tcp", addr) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (n *namespace) dial(addr string) (conn net.Conn, err error) {
	n.in(func() { conn, err = dialHere(addr) })
	return conn, err
}

// dialHere makes the socket on this thread.
func dialHere(addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second, FallbackDelay: -1}).DialContext(context.Background(), "tcp4", addr)
}

// asUser dials on a thread with another user for files and sockets.
func asUser(uid int, addr string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if _, _, errno := unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0); errno != 0 {
			err = errno
			return
		}
		conn, err = dialHere(addr)
	}()
	<-done
	return conn, err
}

func listen(t *testing.T, addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accepted returns who connected, and to which destination.
func accepted(t *testing.T, l net.Listener) (string, netip.AddrPort) {
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("no connection to %s: %v", l.Addr(), err)
	}
	defer conn.Close()
	original, err := intercept.OriginalDestination(conn.(*net.TCPConn))
	if err != nil {
		return conn.RemoteAddr().String(), netip.AddrPort{}
	}
	return conn.RemoteAddr().String(), original
}

func run(t *testing.T, ip string, third *os.File, line string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), ip, strings.Fields(line)...)
	cmd.ExtraFiles = []*os.File{third}
	return cmd.CombinedOutput()
}
