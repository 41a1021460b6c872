package attack_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Figures are measured with two processes, generator and server, each pinned to a core: this test
// binary, started again.

// orderVar is the environment variable with a child's order.
const orderVar = "COALMINE_BENCH_ORDER"

// order says what a child does.
type order struct {
	// Serve makes it a server.
	Serve *serverOrder `json:",omitempty"`
	// Generate makes it a generator.
	Generate *generatorOrder `json:",omitempty"`
}

func TestMain(m *testing.M) {
	text := os.Getenv(orderVar)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := obey(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func obey(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	switch {
	case o.Serve != nil:
		return o.Serve.run()
	case o.Generate != nil:
		return o.Generate.run()
	}
	return errors.New("an order for nothing")
}

// child is a running process.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// start runs this binary with an order on one of the cores.
func start(b *testing.B, o order, core int) *child {
	b.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env, cmd.Stderr = append(os.Environ(), orderVar+"="+string(text)), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := onCore(core, cmd.Start); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<24)
	return &child{cmd, stdin, lines}
}

// onCore calls f on a thread bound to a core, which a process started by f inherits.
func onCore(core int, call func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, bound unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	bound.Set(core)
	if err := unix.SchedSetaffinity(0, &bound); err != nil {
		return err
	}
	return errors.Join(call(), unix.SchedSetaffinity(0, &before))
}

// cores returns the cores of generator and server. They are equal if there is only one.
func cores(b *testing.B) (generator, server int) {
	b.Helper()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	var list []int
	for core := 0; len(list) < 2 && core < 1024; core++ {
		if all.IsSet(core) {
			list = append(list, core)
		}
	}
	if len(list) < 2 {
		b.Log("this machine has one core, which generator and server share: the figures are worse for it")
		return list[0], list[0]
	}
	return list[0], list[1]
}

// read decodes the child's next line.
func (c *child) read(b *testing.B, v any) {
	b.Helper()
	if !c.lines.Scan() {
		b.Fatalf("a child ended too soon: %v", errors.Join(c.lines.Err(), c.cmd.Wait()))
	}
	if err := json.Unmarshal(c.lines.Bytes(), v); err != nil {
		b.Fatal(err)
	}
}

// end makes a waiting child end.
func (c *child) end(b *testing.B) {
	b.Helper()
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// tell prints a line for the parent.
func tell(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// monotonic returns the time on the clock shared by all processes of a machine, in nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}
