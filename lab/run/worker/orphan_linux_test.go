package worker_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A worker ends with its parent, even if that is killed.
func TestWorkersEndWithTheirParent(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := &exec.Cmd{Path: path, Args: []string{orphan}, Env: []string{"TMPDIR=" + t.TempDir()}}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanln(out, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skip(err) // an old kernel
	}
	defer unix.Close(fd)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	const limit = 20_000 // milliseconds
	ended := func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, limit) }
	n, err := ended()
	for errors.Is(err, unix.EINTR) { // by a signal, such as that of the parent's end
		n, err = ended()
	}
	if n != 1 || err != nil {
		t.Errorf("the worker lives on: %d, %v", n, err)
		unix.Kill(pid, unix.SIGKILL)
	}
	if err := parent.Wait(); err == nil {
		t.Error("the parent was not killed")
	}
}
